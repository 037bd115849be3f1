//! Worlds made of what public sets of dialogues speak of.

use std::path::Path;

use frontdesk::Company;

use super::{Body, WorldError};
use crate::formats;

/// Everything that the dialogues in `folder` speak of.
pub(super) fn load(folder: &Path, name: &str) -> Result<Body, WorldError> {
    Ok(Body {
        company: Company {
            name: name.to_owned(),
            ..Company::default()
        },
        customers: Vec::new(),
        products: Vec::new(),
        orders: Vec::new(),
        documents: formats::documents(folder)?,
    })
}

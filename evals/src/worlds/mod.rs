//! Worlds: the bodies of facts that dialogues are about, brought into the shape of the CRM store.
//!
//! A world is a folder of files of its own shape below a data folder. Each loader turns it into a
//! [`Body`]; whoever adds a world writes a loader and names it in [`World`].

mod bank_knowledge;
mod foreign;
mod imported;
mod tau2_retail;

use std::path::{Path, PathBuf};

use crm::import::ImportError;
use crm::{CrmError, Customer, Document, Order, Product, Store};
use frontdesk::world;
use frontdesk::{Company, Currency};
use serde::Serialize;

use crate::formats::FormatError;

/// The worlds there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum World {
    /// A bank's knowledge base, some of it internal procedures. It has no customers.
    BankKnowledge,
    /// A web shop with products, customers and orders, and a service policy as its knowledge.
    Tau2Retail,
    /// Frontdesk's own demo shop, Tern & Teasel.
    Shop,
    /// An invented phone company: contracts, invoices, tariffs and devices.
    Phone,
    /// What the Schema-Guided Dialogues speak of.
    Sgd,
    /// What the Chinese dialogues of CrossWOZ speak of.
    #[value(name = "crosswoz")]
    CrossWoz,
}

impl World {
    /// Its name, which is its folder's and what dialogues call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::BankKnowledge => "bank-knowledge",
            Self::Tau2Retail => "tau2-retail",
            Self::Shop => "shop",
            Self::Phone => "phone",
            Self::Sgd => "sgd",
            Self::CrossWoz => "crosswoz",
        }
    }

    /// The data folder to look in unless told otherwise, as seen from the repository.
    pub fn usual_data(self) -> &'static Path {
        Path::new(match self {
            Self::BankKnowledge | Self::Tau2Retail | Self::Sgd | Self::CrossWoz => "../shared/data",
            Self::Shop | Self::Phone => "evals/worlds",
        })
    }

    /// Reads the world from its folder in `data`. Blocks.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn load(self, data: &Path) -> Result<Body, WorldError> {
        let folder = data.join(self.name());
        if !folder.is_dir() {
            return Err(WorldError::NoFolder { folder });
        }
        match self {
            Self::BankKnowledge => bank_knowledge::load(&folder),
            Self::Tau2Retail => tau2_retail::load(&folder),
            Self::Shop | Self::Phone => imported::load(&folder),
            Self::Sgd => foreign::load(&folder, "Assistant"),
            Self::CrossWoz => foreign::load(&folder, "助手"),
        }
    }
}

/// Everything that is known in a world.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Body {
    /// Whose world it is, and what day it is there: a replay must not depend on the clock.
    pub company: Company,
    /// Its customers.
    pub customers: Vec<Customer>,
    /// Its products.
    pub products: Vec<Product>,
    /// Its orders.
    pub orders: Vec<Order>,
    /// What it answers from.
    pub documents: Vec<Document>,
}

impl Body {
    /// Everything that a company's own store holds but its conversations, which are nobody's to
    /// replay. `company` is whose it is.
    ///
    /// # Errors
    /// What the store says.
    pub async fn of(store: &Store, company: Company) -> Result<Self, CrmError> {
        let customers = async |after: Option<&str>| store.list_customers(after, PAGE).await;
        let products = async |after: Option<&str>| store.list_products(after, PAGE).await;
        let orders = async |after: Option<&str>| store.list_orders(after, PAGE).await;
        let documents = async |after: Option<&str>| store.list_documents(after, PAGE).await;
        Ok(Self {
            company,
            customers: all(customers, |customer: &Customer| customer.id.as_str()).await?,
            products: all(products, |product: &Product| product.id.as_str()).await?,
            orders: all(orders, |order: &Order| order.id.as_str()).await?,
            documents: all(documents, |document: &Document| document.id.as_str()).await?,
        })
    }

    /// Writes everything into `store`.
    ///
    /// # Errors
    /// What the store says.
    pub async fn fill(&self, store: &Store) -> Result<(), CrmError> {
        store.upsert_customers(&self.customers).await?;
        store.upsert_products(&self.products).await?;
        store.upsert_orders(&self.orders).await?;
        store.upsert_documents(&self.documents).await
    }
}

/// Records read at a time.
const PAGE: u32 = 500;

/// All records of the pages that `list` gives behind an id.
async fn all<T>(
    list: impl AsyncFn(Option<&str>) -> Result<Vec<T>, CrmError>,
    id: fn(&T) -> &str,
) -> Result<Vec<T>, CrmError> {
    let mut all = Vec::new();
    loop {
        let page = list(all.last().map(id)).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// Why a world cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The folder is missing.
    #[error("there is no folder {}: name the folder that holds it with --data", folder.display())]
    NoFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// A file cannot be read.
    #[error("cannot read {}: check that the world's folder is complete", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {reason}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What is wrong, with the place.
        reason: String,
    },
    /// A file of the company's own format cannot be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A set of dialogues cannot be read.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The company's own words about itself cannot be read.
    #[error(transparent)]
    About(#[from] world::WorldError),
}

/// The text of a file of the world.
fn read(file: &Path) -> Result<String, WorldError> {
    std::fs::read_to_string(file).map_err(|source| WorldError::Unreadable {
        file: file.to_owned(),
        source,
    })
}

/// Says which file is wrong.
fn malformed(file: &Path, reason: impl ToString) -> WorldError {
    WorldError::Malformed {
        file: file.to_owned(),
        reason: reason.to_string(),
    }
}

/// A company that charges in US dollars, on a day of its world.
fn american(name: &str, today: &str) -> Company {
    Company {
        name: name.to_owned(),
        currency: Currency {
            symbol: "$".to_owned(),
            decimals: 2,
        },
        today: Some(today.to_owned()),
        ..Company::default()
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    /// The data folder of worlds made by others, where there is one.
    pub(super) fn shared_data() -> Option<PathBuf> {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
        if data.is_dir() {
            return Some(data);
        }
        println!("skipped: {} is not there", data.display());
        None
    }

    #[test]
    fn a_world_is_called_the_same_everywhere() {
        for world in World::value_variants() {
            let word = world.to_possible_value().unwrap();
            assert_eq!(word.get_name(), world.name());
        }
    }

    #[test]
    fn a_missing_folder_is_said() {
        let error = World::Shop.load(Path::new("no-data")).unwrap_err();
        assert!(matches!(error, WorldError::NoFolder { .. }));
        assert!(error.to_string().contains("--data"), "{error}");
    }

    #[tokio::test]
    async fn a_whole_world_goes_into_a_store() {
        let body = World::Shop
            .load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("worlds"))
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("crm.sqlite"))
            .await
            .unwrap();
        body.fill(&store).await.unwrap();
        let counts = store.counts().await.unwrap();
        let held = [
            counts.customers,
            counts.products,
            counts.orders,
            counts.documents,
        ];
        let brought = [
            body.customers.len(),
            body.products.len(),
            body.orders.len(),
            body.documents.len(),
        ];
        assert_eq!(held.map(|count| count as usize), brought);
        assert!(brought.iter().all(|count| *count > 0));
    }
}

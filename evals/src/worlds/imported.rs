//! Frontdesk's own worlds: folders of files that `frontdesk import` takes.

use std::path::Path;

use crm::import::{self, Batch, Kind, Mapping, Records};
use frontdesk::world::WorldFile;

use super::{Body, WorldError, malformed};

/// The day it is in these worlds, by which orders are late or on time.
const TODAY: &str = "2026-11-20";

pub(super) fn load(folder: &Path) -> Result<Body, WorldError> {
    let mut company = WorldFile::read(folder)?.company();
    company.today = Some(TODAY.to_owned());
    let mut body = Body {
        company,
        customers: vec![],
        products: vec![],
        orders: vec![],
        documents: vec![],
    };
    for (kind, name) in [
        (Kind::Customers, "customers.jsonl"),
        (Kind::Products, "products.jsonl"),
        (Kind::Orders, "orders.jsonl"),
        (Kind::Knowledge, "knowledge"),
    ] {
        let path = folder.join(name);
        let batch = import::read(kind, &path, &Mapping::default())?;
        body.take(whole(batch).map_err(|reason| malformed(&path, reason))?);
    }
    Ok(body)
}

/// All records of a file: a world with rows left out would not be the one its dialogues are about.
fn whole(batch: Batch) -> Result<Records, String> {
    match batch.rejected.first() {
        None => Ok(batch.records),
        Some(rejection) => Err(rejection.to_string()),
    }
}

impl Body {
    fn take(&mut self, records: Records) {
        match records {
            Records::Customers(customers) => self.customers = customers,
            Records::Products(products) => self.products = products,
            Records::Orders(orders) => self.orders = orders,
            Records::Documents(documents) => self.documents = documents,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::dialogue::{self, Dialogue};
    use crate::worlds::World;

    fn worlds() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("worlds")
    }

    #[test]
    fn the_shop_is_read_whole() {
        let body = World::Shop.load(&worlds()).unwrap();
        assert_eq!(body.company.name, "Tern & Teasel");
        assert_eq!(body.company.currency.symbol, "€");
        assert!(body.customers.len() >= 54 && body.orders.len() >= 90);
        assert!(body.products.len() >= 34 && body.documents.len() >= 34);
    }

    /// Every file of dialogues in the folder of `world`, translations included.
    fn dialogues(world: World) -> Vec<PathBuf> {
        let files = std::fs::read_dir(worlds().join(world.name())).unwrap();
        let files = files.map(|entry| entry.unwrap().path());
        let is_of_dialogues = |file: &PathBuf| {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with("dialogues") || name.starts_with("held-out")
        };
        files.filter(is_of_dialogues).collect()
    }

    #[test]
    fn what_dialogues_name_is_there() {
        for world in [World::Shop, World::Phone] {
            let (body, files) = (world.load(&worlds()).unwrap(), dialogues(world));
            assert!(files.len() >= 3, "{files:?}");
            for file in files {
                names_only_what_is_there(&body, &dialogue::read(&file).unwrap());
            }
        }
    }

    fn names_only_what_is_there(body: &Body, dialogues: &[Dialogue]) {
        for dialogue in dialogues {
            let customer = dialogue.customer.as_deref();
            let known = |id: &str| {
                body.customers
                    .iter()
                    .any(|customer| customer.id.as_str() == id)
            };
            assert!(customer.is_none_or(known), "{customer:?}");
            let expected = dialogue
                .turns
                .iter()
                .filter_map(|turn| turn.expect.documents.as_ref());
            for id in expected.flatten() {
                let known = body
                    .documents
                    .iter()
                    .any(|document| document.id.as_str() == id);
                assert!(known, "{}: {id}", dialogue.id);
            }
        }
    }

    #[test]
    fn a_row_that_cannot_be_used_spoils_the_world() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("shop");
        std::fs::create_dir_all(folder.join("knowledge")).unwrap();
        std::fs::copy(worlds().join("shop/world.toml"), folder.join("world.toml")).unwrap();
        let customers = "{\"id\": \"C-1\", \"name\": \"A\"}\n{\"name\": \"nobody\"}\n";
        std::fs::write(folder.join("customers.jsonl"), customers).unwrap();
        std::fs::write(folder.join("products.jsonl"), "").unwrap();
        std::fs::write(folder.join("orders.jsonl"), "").unwrap();
        let error = World::Shop.load(data.path()).unwrap_err().to_string();
        assert!(error.contains("customers.jsonl:2"), "{error}");
    }
}

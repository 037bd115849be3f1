//! Which of a file's columns fills which field, where the names differ.

use super::{ImportError, Kind};

/// Pairs of `target=source`: the field named target is read from the column named source. A column
/// that bears the target's own name is then passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    pairs: Vec<(String, String)>,
}

impl Mapping {
    /// Reads pairs such as `id=customer_no`.
    ///
    /// # Errors
    /// [`ImportError::BadMapping`] for a pair without two names, and for a name mapped twice.
    pub fn parse<S: AsRef<str>>(pairs: &[S]) -> Result<Self, ImportError> {
        let mut mapping = Self::default();
        for pair in pairs {
            let pair = pair.as_ref();
            let bad = || ImportError::BadMapping {
                pair: pair.to_owned(),
            };
            let (target, source) = pair.split_once('=').ok_or_else(bad)?;
            let (target, source) = (target.trim(), source.trim());
            let again = mapping
                .pairs
                .iter()
                .any(|(t, s)| same(t, target) || same(s, source));
            if target.is_empty() || source.is_empty() || again {
                return Err(bad());
            }
            mapping.pairs.push((target.to_owned(), source.to_owned()));
        }
        Ok(mapping)
    }

    /// Refuses a target that no record of `kind` has: most likely the pair is the wrong way round.
    pub(super) fn check(&self, kind: Kind) -> Result<(), ImportError> {
        match self
            .pairs
            .iter()
            .find(|(target, _)| !is_field(kind, target))
        {
            Some((target, _)) => Err(ImportError::UnknownTarget {
                kind,
                target: target.clone(),
            }),
            None => Ok(()),
        }
    }

    /// The columns that fields are read from.
    pub(super) fn sources(&self) -> impl Iterator<Item = &str> {
        self.pairs.iter().map(|(_, source)| source.as_str())
    }

    /// The field that a column of this name fills; `None` when another column fills it.
    pub(super) fn field<'a>(&'a self, column: &'a str) -> Option<&'a str> {
        if let Some((target, _)) = self.pairs.iter().find(|(_, source)| same(source, column)) {
            return Some(target);
        }
        let shadowed = self.pairs.iter().any(|(target, _)| same(target, column));
        (!shadowed).then_some(column)
    }
}

/// Whether two names of columns are the same: spreadsheets are generous with capitals.
pub(super) fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

fn is_field(kind: Kind, target: &str) -> bool {
    let (fields, prefixes): (&str, &[&str]) = match kind {
        // Whatever is not a field of a customer is an attribute.
        Kind::Customers => return true,
        Kind::Products => (
            "id name category description sku price available variants",
            &["option."],
        ),
        Kind::Orders => (
            "id customer status placed_on product sku name quantity price total carrier tracking \
             expected address address_city address_region address_postal_code address_country \
             items payments shipments attributes",
            &["option.", "attribute."],
        ),
        Kind::Knowledge => ("id title content url language visibility", &[]),
    };
    fields.split(' ').any(|field| same(field, target))
        || prefixes
            .iter()
            .any(|prefix| target.len() > prefix.len() && target.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_column_fills_its_field_and_shadows_the_fields_own_name() {
        let mapping = Mapping::parse(&["id=customer_no", "name = Full Name"]).unwrap();
        assert_eq!(mapping.field("Customer_No"), Some("id"));
        assert_eq!(mapping.field("Full Name"), Some("name"));
        assert_eq!(mapping.field("name"), None);
        assert_eq!(mapping.field("email"), Some("email"));
    }

    #[test]
    fn two_fields_may_trade_places() {
        let mapping = Mapping::parse(&["title=content", "content=title"]).unwrap();
        assert_eq!(mapping.field("title"), Some("content"));
        assert_eq!(mapping.field("content"), Some("title"));
    }

    #[test]
    fn a_pair_that_is_no_mapping_is_refused() {
        for pairs in [
            &["id"][..],
            &["=x"],
            &["id="],
            &["id=a", "id=b"],
            &["id=a", "name=A"],
        ] {
            let outcome = Mapping::parse(pairs);
            assert!(
                matches!(outcome, Err(ImportError::BadMapping { .. })),
                "{pairs:?}"
            );
        }
    }

    #[test]
    fn a_target_that_is_no_field_is_refused_except_for_customers() {
        let mapping = Mapping::parse(&["product_no=id"]).unwrap();
        let outcome = mapping.check(Kind::Products);
        assert!(
            matches!(outcome, Err(ImportError::UnknownTarget { .. })),
            "{outcome:?}"
        );
        assert!(mapping.check(Kind::Customers).is_ok());
        assert!(
            Mapping::parse(&["option.colour=Farbe"])
                .unwrap()
                .check(Kind::Products)
                .is_ok()
        );
    }
}

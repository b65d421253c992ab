//! The board's home: the event log, snapshots, the outbox, the read models of what is finished and
//! of what it cost, the tables of the local forge, and what forges on the network said last, in one
//! SQLite database that many processes may use at once.
//!
//! Every change is one write transaction. The store never decides anything: it runs what
//! `coord-core` decides, and keeps it. It does not carry effects out.

mod commit;
mod connection;
mod efforts;
mod error;
mod family;
mod finished;
mod forge_cache;
mod forge_rows;
mod history;
mod log;
mod mirror;
mod outbox;
mod reader;
mod scope;
mod store;
mod subject;
mod usage;
mod writer;

pub use commit::Committed;
pub use error::StoreError;
pub use family::SubIssuePlace;
pub use finished::FinishedFilter;
pub use forge_cache::{CachedAnswer, ForgeCache, Opening, RateLimit};
pub use forge_rows::{
    CommentRow, ForgeRows, LineCommentRow, MergedRow, NewCommentRow, NewIssueRow, NewPullRow,
    NewReviewRow, PullRow, ReviewRow, SubIssueRow, VerdictRow,
};
pub use history::HistoryFilter;
pub use mirror::{Mirror, MirroredComment, SyncReport};
pub use outbox::{LeasedEffect, OutboxRow};
pub use store::Store;
pub use usage::{Breakdown, Usage, UsageBy, UsageFilter, UsageKey, UsageReport};

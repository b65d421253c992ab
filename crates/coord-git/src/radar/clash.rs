//! What the radar tells: which pairs do not merge, where, and why.

/// The outcome of one look at all pairs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    /// The pairs that do not merge, by `one`, those with the base first, then by `other`.
    pub clashes: Vec<Clash>,
}

/// A pair that git would not merge by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// The place of a head among those that were asked about, from 0.
    pub one: usize,
    /// The place of the other one, which comes later; `None`: the base.
    pub other: Option<usize>,
    /// Where they clash, by path; empty when the two have no commit in common.
    pub files: Vec<ClashFile>,
}

/// One path that does not merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClashFile {
    /// As git names it in the merged tree; bytes that are not UTF-8 are replaced.
    pub path: String,
    /// Why.
    pub kind: ClashKind,
    /// The places in it, top down; empty where the reason is not in the lines.
    pub hunks: Vec<ClashHunk>,
}

/// Why a path does not merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClashKind {
    /// Both changed the same lines.
    Content,
    /// Both changed a file that has no lines.
    Binary,
    /// Both added it, one of them as an executable.
    Mode,
    /// Both added it, with different contents.
    AddAdd,
    /// One deleted it, the other changed it.
    DeleteEdit,
    /// One renamed it, and both changed the same lines.
    RenameEdit,
    /// One renamed it, the other deleted it.
    RenameDelete,
    /// Both renamed it, to different names.
    RenameRename,
    /// One renamed a file to a name that the other uses for another file.
    RenameAdd,
    /// One renamed the folder in which the other added it.
    DirectoryRename,
    /// A file for one is a folder for the other.
    DirectoryFile,
    /// A file for one is a link or a submodule for the other.
    Type,
    /// Both moved a submodule to commits that do not follow each other.
    Submodule,
}

impl ClashKind {
    /// The reason in a word or two, e.g. `delete/edit`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Binary => "binary",
            Self::Mode => "mode",
            Self::AddAdd => "add/add",
            Self::DeleteEdit => "delete/edit",
            Self::RenameEdit => "rename/edit",
            Self::RenameDelete => "rename/delete",
            Self::RenameRename => "rename/rename",
            Self::RenameAdd => "rename/add",
            Self::DirectoryRename => "directory rename",
            Self::DirectoryFile => "directory/file",
            Self::Type => "type",
            Self::Submodule => "submodule",
        }
    }
}

/// A place that both changed, as each of them has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClashHunk {
    /// In the file of `one`.
    pub one: Lines,
    /// In the file of `other`.
    pub other: Lines,
}

/// Lines of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lines {
    /// The first, from 1; where there are none, the one before which they were deleted.
    pub start: u32,
    /// How many.
    pub len: u32,
}

//! What no worker may run unless the configuration says otherwise.

/// The patterns for `--disallowedTools` when `worker_permissions.deny` is absent.
///
/// `:*` is a prefix match of the spelling (Claude Code 2.1), so a pattern stops an accident and
/// not an intention: `git -C . push --force` passes. What must not happen is prevented elsewhere,
/// by giving the worker neither credentials nor a push address.
pub const DEFAULT_DENY: [&str; 20] = [
    "Bash(gh:*)",
    "Bash(git push --force:*)",
    "Bash(git push --force-with-lease:*)",
    "Bash(git push -f:*)",
    "Bash(git push origin --force:*)",
    "Bash(git push --delete:*)",
    "Bash(git push origin --delete:*)",
    "Bash(git reset --hard:*)",
    "Bash(git branch -d:*)",
    "Bash(git branch -D:*)",
    "Bash(git branch --delete:*)",
    "Bash(git checkout -- .)",
    "Bash(git checkout .)",
    "Bash(git clean -f:*)",
    "Bash(git clean -fd:*)",
    "Bash(git clean -fdx:*)",
    "Bash(git clean --force:*)",
    "Bash(rm -rf:*)",
    "Bash(rm -fr:*)",
    "Bash(rm -r -f:*)",
];

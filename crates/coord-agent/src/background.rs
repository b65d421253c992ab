//! Work that keeps the disk and every core busy, on threads that let everything else go first.
//!
//! Checking out 20,000 files takes all cores for a while. Callers who ask for `/health` meanwhile
//! are answered first, and so are workers that run.

use std::thread;

use tokio::sync::oneshot;

/// How much such a thread, with those that it starts, gives way: the system's scale goes to 19.
#[cfg(target_os = "linux")]
const NICE: i32 = 5;

/// The work broke off: its thread panicked, or could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the work broke off")]
pub(crate) struct BrokeOff;

/// Runs `work` on a thread of its own. It is never cancelled.
pub(crate) async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BrokeOff> {
    let (done, is_done) = oneshot::channel();
    let started = thread::Builder::new().spawn(move || {
        give_way();
        // Nobody waits any more when the agent ends.
        let _ = done.send(work());
    });
    started.map_err(|_| BrokeOff)?;
    is_done.await.map_err(|_| BrokeOff)
}

/// On Linux a thread has a priority of its own, which the threads that it starts inherit.
#[cfg(target_os = "linux")]
fn give_way() {
    // Without it the work is done just as well.
    let _ = rustix::process::nice(NICE);
}

/// Elsewhere it would be the priority of the whole agent.
#[cfg(not(target_os = "linux"))]
const fn give_way() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_answer_or_the_panic_reaches_the_caller() {
        assert_eq!(in_background(|| 7).await.unwrap(), 7);
        let broken = in_background(|| assert_eq!(1, 2, "on purpose")).await;
        assert!(broken.is_err());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn only_the_thread_of_the_work_gives_way() {
        let nice = || rustix::process::nice(0).unwrap();
        let before = nice();
        assert_eq!(in_background(nice).await.unwrap(), (before + NICE).min(19));
        assert_eq!(nice(), before);
    }
}

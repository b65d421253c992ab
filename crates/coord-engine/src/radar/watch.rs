//! When to look: after something has happened that may have moved a branch or its base.

use std::ops::ControlFlow;
use std::time::Duration;

use coord_core::Board;
use coord_core::assignment::Assignment;
use coord_core::ids::{AssignmentId, CommitId, MachineName, RepoName};
use coord_protocol::AgentClient;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::StreamExt as _;

use super::{RadarPicture, branches};
use crate::drive::Progress;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::follow::unfinished;

/// The pause after a look: whatever moves meanwhile is seen by the next one.
const PAUSE: Duration = Duration::from_millis(200);

/// The pause before an agent is followed again that cannot be reached.
const RECONNECT: Duration = Duration::from_secs(5);

/// Everything that a look depends on. While it is the same, another look would see the same.
#[derive(Debug, PartialEq, Eq)]
struct Scene {
    base: Option<CommitId>,
    branches: Vec<Trace>,
}

#[derive(Debug, PartialEq, Eq)]
struct Trace {
    id: AssignmentId,
    /// Of one that has ended.
    head: Option<CommitId>,
    /// How often something was heard of one that has not.
    heard: Option<u64>,
    /// Whether its agent can be asked.
    answers: bool,
}

impl Engine {
    /// Keeps the board up to date about one repository for as long as the board can be used.
    pub(crate) async fn watch_conflicts(
        self,
        repo: RepoName,
        progress: mpsc::Sender<Progress>,
    ) -> EngineError {
        let mut said = None;
        let followed = async {
            let mut seen = None;
            loop {
                self.next_scene(&repo, &mut seen).await?;
                let before = self.store().board().await?;
                let picture = self.picture(&repo).await?;
                if !self.sighted(&picture, &before.conflicts).await? {
                    seen = None;
                }
                if let Some(trouble) = picture.trouble
                    && said.as_ref() != Some(&trouble)
                {
                    said = Some(trouble.clone());
                    let repo = repo.clone();
                    // A full channel means that nobody looks.
                    let _ = progress.try_send(Progress::Radar { repo, trouble });
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        let Err(error): Result<std::convert::Infallible, _> = followed.await;
        error
    }

    /// Shows what [`Engine::radar`] sees, at once and whenever it has changed, until `show` breaks.
    /// The board stays as it is, and nothing is carried out.
    ///
    /// # Errors
    /// As [`Engine::radar`].
    pub async fn watch_radar<T>(
        &self,
        only: Option<&RepoName>,
        mut show: impl FnMut(&[RadarPicture]) -> ControlFlow<T>,
    ) -> Result<T, EngineError> {
        let repos = self.radar_repos(only)?;
        let _listening = self.listen();
        let mut shown = None;
        let mut scenes: Vec<Option<Scene>> = repos.iter().map(|_| None).collect();
        loop {
            let pictures = self.radar(only).await?;
            if shown.as_ref() != Some(&pictures)
                && let ControlFlow::Break(value) = show(&pictures)
            {
                return Ok(value);
            }
            shown = Some(pictures);
            tokio::time::sleep(PAUSE).await;
            let waits = repos.iter().zip(&mut scenes);
            let waits = waits.map(|(repo, seen)| Box::pin(self.next_scene(repo, seen)));
            let (changed, ..) = futures_util::future::select_all(waits).await;
            changed?;
        }
    }

    /// Waits until a look may see something that it has not seen before.
    async fn next_scene(
        &self,
        repo: &RepoName,
        seen: &mut Option<Scene>,
    ) -> Result<(), EngineError> {
        let mut changes = self.store().changes();
        let mut moves = self.0.moves.watch();
        loop {
            changes.mark_unchanged();
            moves.mark_unchanged();
            let board = self.store().board().await?;
            self.0.moves.keep(&board);
            let scene = self.scene(&board, repo);
            if seen.as_ref() != Some(&scene) {
                *seen = Some(scene);
                return Ok(());
            }
            tokio::select! {
                _ = changes.changed() => {}
                _ = moves.changed() => {}
            }
        }
    }

    fn scene(&self, board: &Board, repo: &RepoName) -> Scene {
        let trace = |it: &Assignment| {
            let facts = board.machines.get(&it.machine);
            let runs = it.state.takes_slot();
            Trace {
                id: it.id.clone(),
                head: it.deliverable().map(|work| work.head.clone()),
                heard: runs.then(|| self.0.moves.count(&it.id)),
                answers: !runs || facts.is_none_or(|facts| facts.silent_since.is_none()),
            }
        };
        Scene {
            base: board.bases.get(repo).cloned(),
            branches: branches(board, repo).into_iter().map(trace).collect(),
        }
    }

    /// Hears from every agent that something moves, until the answer is dropped.
    fn listen(&self) -> JoinSet<()> {
        let mut listening = JoinSet::new();
        for (machine, client) in self.agents().iter() {
            listening.spawn(self.clone().listen_to(machine.clone(), client.clone()));
        }
        listening
    }

    async fn listen_to(self, machine: MachineName, client: AgentClient) {
        loop {
            if let Ok(mut events) = client.events(None).await {
                self.heard_of_all(&machine).await;
                while let Some(Ok(event)) = events.next().await {
                    match &event.id {
                        Some(id) => self.0.moves.heard_of(id),
                        None => self.heard_of_all(&machine).await,
                    }
                }
            }
            tokio::time::sleep(RECONNECT).await;
        }
    }

    /// Whatever runs there may have moved.
    async fn heard_of_all(&self, machine: &MachineName) {
        if let Ok(board) = self.store().board().await {
            unfinished(&board, machine).for_each(|it| self.0.moves.heard_of(&it.id));
        }
    }
}

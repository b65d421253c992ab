//! An agent that does what the test says: a real server that speaks the wire protocol, without any
//! worker. It counts the workers that it would have started.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use coord_core::ids::{AssignmentId, CommitId};
use coord_git::{GitError, Repo};
use coord_protocol::{
    ActiveRow, AgentEvent, AgentEventKind, AssignBody, AssignmentRow, AssignmentStatus,
    CompletedRow, EndReport, EndResult, ErrorBody, Feature, Health, InputBody, LeaseAnswer,
    LeaseTaken, Progress, RepoState, Repos, StatusAnswer,
};
use tokio::net::TcpSocket;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, broadcast, watch};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::BroadcastStream;

/// How to treat one request to `/assign` or `/cancel`.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Refuse it.
    Refuse {
        status: u16,
        retry_after: Option<u64>,
    },
    /// Do it and never answer: to the caller that is a time-out.
    DoneButSilent,
    /// Do it, and answer, once the test lets it go.
    Held(Arc<Notify>),
    /// Do it, and answer once the test lets it go.
    DoneButHeld(Arc<Notify>),
}

/// What a worker does with its assignment.
pub(crate) type Work = Arc<dyn Fn(&AssignBody) -> EndReport + Send + Sync>;

/// An assignment as the agent knows it.
#[derive(Debug, Clone)]
struct Row {
    id: AssignmentId,
    body: AssignBody,
    started_at: Option<f64>,
    finished_at: Option<f64>,
    end: Option<EndReport>,
    stuck: Option<String>,
    files: Vec<String>,
    edits: Vec<AgentEventKind>,
}

/// Everything that the test may look at.
#[derive(Default)]
pub(crate) struct Seen {
    rows: Vec<Row>,
    features: Vec<String>,
    answers: VecDeque<Answer>,
    work: Option<Work>,
    seq: u64,
    checkouts: BTreeMap<String, PathBuf>,
    /// Where its workers' files are saved.
    saves: Option<PathBuf>,
    /// Every event that there was.
    log: Vec<AgentEvent>,
    /// What `/status` waits for.
    status_gate: Option<Arc<Notify>>,
    /// Every answer to a question about a lease.
    pub(crate) answered: Vec<(String, LeaseAnswer)>,
    /// How many followers have promised to answer such questions.
    pub(crate) promises: usize,
    /// Every request to `/wip`: the assignment, and the status of the answer.
    pub(crate) wips: Vec<(String, u16)>,
    /// How often `/repos` was asked for.
    pub(crate) repos: usize,
    /// Every request to `/assign`, refused ones too.
    pub(crate) assigns: Vec<AssignBody>,
    /// Every request to `/input`: the assignment, the message and its key.
    pub(crate) inputs: Vec<(String, String, Option<String>)>,
    /// Every request to `/cancel`, with the id as it was sent.
    pub(crate) cancels: Vec<String>,
    /// The assignment of every worker that was started.
    pub(crate) workers: Vec<AssignmentId>,
    /// How often `/events` and `/status` were asked for.
    pub(crate) subscriptions: usize,
    pub(crate) looks: usize,
}

/// What goes through the streams of events.
#[derive(Clone)]
enum Line {
    Event(Box<AgentEvent>),
    Cut,
}

struct Script {
    seen: watch::Sender<Seen>,
    lines: broadcast::Sender<Line>,
}

pub(crate) struct ScriptedAgent {
    address: SocketAddr,
    /// Bound and never listened on: the port stays ours while the agent is down.
    _reserved: TcpSocket,
    /// A runtime of its own, so that going down ends every connection, as a killed process does.
    up: Mutex<Option<Runtime>>,
    script: Arc<Script>,
}

impl ScriptedAgent {
    pub(crate) fn start() -> Self {
        let reserved = socket("127.0.0.1:0".parse().unwrap());
        let features = Feature::ALL
            .iter()
            .map(|it| it.as_str().to_owned())
            .collect();
        let seen = Seen {
            features,
            ..Seen::default()
        };
        let agent = Self {
            address: reserved.local_addr().unwrap(),
            _reserved: reserved,
            up: Mutex::new(None),
            script: Arc::new(Script {
                seen: watch::Sender::new(seen),
                lines: broadcast::Sender::new(256),
            }),
        };
        agent.up();
        agent
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Connections are refused from here on, and those that were open are gone.
    pub(crate) fn down(&self) {
        if let Some(runtime) = self.up.lock().unwrap().take() {
            runtime.shutdown_background();
        }
    }

    pub(crate) fn up(&self) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let router = router(Arc::clone(&self.script));
        let listener = {
            let _inside = runtime.enter();
            self.listen()
        };
        runtime.spawn(async move { axum::serve(listener, router).await });
        *self.up.lock().unwrap() = Some(runtime);
    }

    /// The runtime that was shut down may hold the port for a moment longer.
    fn listen(&self) -> tokio::net::TcpListener {
        for _ in 0..500 {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            if socket.bind(self.address).is_ok()
                && let Ok(listener) = socket.listen(64)
            {
                return listener;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("cannot listen on {} again", self.address);
    }

    /// What the agent announces in `/health`.
    pub(crate) fn can(&self, features: &[Feature]) {
        let features = features.iter().map(|it| it.as_str().to_owned()).collect();
        self.script
            .seen
            .send_modify(|seen| seen.features = features);
    }

    /// How to treat the requests that follow to `/assign` and `/cancel`, one each.
    pub(crate) fn answer_next(&self, answers: impl IntoIterator<Item = Answer>) {
        self.script
            .seen
            .send_modify(|seen| seen.answers.extend(answers));
    }

    /// Every worker from here on does this at once and ends.
    pub(crate) fn workers_do(&self, work: Work) {
        self.script.seen.send_modify(|seen| seen.work = Some(work));
    }

    /// The machine has this checkout of the repository.
    pub(crate) fn has_checkout(&self, repo: &str, path: PathBuf) {
        self.script
            .seen
            .send_modify(|seen| drop(seen.checkouts.insert(repo.to_owned(), path)));
    }

    /// The work of its workers is saved in this repository.
    pub(crate) fn saves_in(&self, path: PathBuf) {
        self.script.seen.send_modify(|seen| seen.saves = Some(path));
    }

    /// `/status` is answered from here on when the test lets it, once for each permit.
    pub(crate) fn hold_status(&self, gate: Option<Arc<Notify>>) {
        self.script.seen.send_modify(|seen| seen.status_gate = gate);
    }

    /// Something that the test wants to know.
    pub(crate) fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.script.seen.borrow())
    }

    /// Waits until it has seen that.
    pub(crate) async fn until(&self, seen: impl FnMut(&Seen) -> bool) {
        let mut watch = self.script.seen.subscribe();
        let waited = tokio::time::timeout(crate::world::PATIENCE, watch.wait_for(seen));
        waited.await.expect("the agent has not seen it").unwrap();
    }

    pub(crate) fn worker_starts(&self, id: &AssignmentId) {
        self.script.start(id);
    }

    pub(crate) fn worker_ends(&self, id: &AssignmentId, end: EndReport) {
        self.script.finish(id, end, true);
    }

    /// It ends, and no event says so.
    pub(crate) fn worker_ends_unheard(&self, id: &AssignmentId, end: EndReport) {
        self.script.finish(id, end, false);
    }

    pub(crate) fn worker_asks(&self, id: &AssignmentId, question: &str) {
        self.script
            .change(id, |row| row.stuck = Some(question.to_owned()));
        let question = question.to_owned();
        self.script
            .tell(Some(id), AgentEventKind::Stuck { question });
    }

    pub(crate) fn worker_changes(&self, id: &AssignmentId, paths: &[&str]) {
        let paths: Vec<String> = paths.iter().map(|it| (*it).to_owned()).collect();
        self.script
            .change(id, |row| row.files.extend(paths.clone()));
        self.script.tell(Some(id), AgentEventKind::Files { paths });
    }

    /// An event as such, without anything having happened.
    pub(crate) fn tell(&self, id: Option<&AssignmentId>, kind: AgentEventKind) {
        self.script.tell(id, kind);
    }

    /// Ends every stream of events.
    pub(crate) fn cut_streams(&self) {
        let _ = self.script.lines.send(Line::Cut);
    }

    /// It never heard of that assignment.
    pub(crate) fn forget(&self, id: &AssignmentId) {
        self.script
            .seen
            .send_modify(|seen| seen.rows.retain(|row| row.id != *id));
    }

    /// The id under which it knows its only assignment.
    pub(crate) fn only_id(&self) -> AssignmentId {
        self.seen(|seen| {
            assert_eq!(seen.rows.len(), 1);
            seen.rows[0].id.clone()
        })
    }
}

impl Drop for ScriptedAgent {
    fn drop(&mut self) {
        self.down();
    }
}

/// The end of a worker that did nothing.
pub(crate) fn ended(result: EndResult) -> EndReport {
    EndReport {
        error: None,
        ..EndReport::never_started(result, None, String::new())
    }
}

fn socket(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
}

fn event(seq: u64, id: Option<&AssignmentId>, kind: AgentEventKind) -> AgentEvent {
    AgentEvent {
        seq,
        at: now(),
        id: id.cloned(),
        kind,
        cursor: String::new(),
    }
}

impl Script {
    fn tell(&self, id: Option<&AssignmentId>, kind: AgentEventKind) {
        let mut seq = 0;
        self.seen.send_modify(|seen| {
            seen.seq += 1;
            seq = seen.seq;
        });
        if let AgentEventKind::EditDenied { .. }
        | AgentEventKind::EditUnchecked { .. }
        | AgentEventKind::FilesRestored { .. } = &kind
            && let Some(id) = id
        {
            self.seen.send_modify(|seen| {
                let row = seen.rows.iter_mut().find(|row| row.id == *id);
                row.into_iter().for_each(|row| row.edits.push(kind.clone()));
            });
        }
        let event = event(seq, id, kind);
        self.seen.send_modify(|seen| seen.log.push(event.clone()));
        let _ = self.lines.send(Line::Event(Box::new(event)));
    }

    fn change(&self, id: &AssignmentId, change: impl FnOnce(&mut Row)) {
        self.seen.send_modify(|seen| {
            let row = seen.rows.iter_mut().find(|row| row.id == *id);
            change(row.expect("the agent does not know that assignment"));
        });
    }

    fn start(&self, id: &AssignmentId) {
        let started_at = now();
        self.change(id, |row| row.started_at = Some(started_at));
        let started = AgentEventKind::Started {
            started_at,
            base: None,
            branch: None,
        };
        self.tell(Some(id), started);
    }

    fn finish(&self, id: &AssignmentId, end: EndReport, heard: bool) {
        let finished_at = now();
        self.change(id, |row| {
            row.finished_at = Some(finished_at);
            row.end = Some(end.clone());
        });
        let end = Box::new(end);
        if heard {
            self.tell(Some(id), AgentEventKind::Finished { finished_at, end });
        }
    }

    /// Takes an assignment on, as an agent does: the same id and body again is the same one.
    fn take_on(self: &Arc<Self>, body: AssignBody) -> Result<AssignmentRow, StatusCode> {
        let mut answer = Err(StatusCode::CONFLICT);
        let mut fresh = None;
        self.seen.send_modify(|seen| {
            let own = || AssignmentId::from_bits(0xa6e17 + seen.rows.len() as u64);
            let id = body.id.clone().unwrap_or_else(own);
            if let Some(known) = seen.rows.iter().find(|row| row.id == id) {
                if known.body.is_same_work(&body) {
                    answer = Ok(known.wire());
                }
                return;
            }
            let row = Row::new(id.clone(), body.clone());
            answer = Ok(row.wire());
            seen.rows.push(row);
            seen.workers.push(id.clone());
            fresh = seen.work.clone().map(|work| (id, work));
        });
        if let Some((id, work)) = fresh {
            let script = Arc::clone(self);
            tokio::task::spawn_blocking(move || {
                script.start(&id);
                script.finish(&id, work(&body), true);
            });
        }
        answer
    }

    fn status(&self) -> StatusAnswer {
        let seen = self.seen.borrow();
        let old = seen.features.is_empty();
        let (ended, active): (Vec<_>, Vec<_>) = seen.rows.iter().partition(|row| row.end.is_some());
        StatusAnswer {
            active: active.into_iter().map(Row::active).collect(),
            completed: ended.into_iter().map(|row| row.completed(old)).collect(),
        }
    }

    fn next_answer(&self) -> Option<Answer> {
        let mut answer = None;
        self.seen
            .send_modify(|seen| answer = seen.answers.pop_front());
        answer
    }
}

impl Row {
    fn new(id: AssignmentId, body: AssignBody) -> Self {
        Self {
            id,
            body,
            started_at: None,
            finished_at: None,
            end: None,
            stuck: None,
            files: Vec::new(),
            edits: Vec::new(),
        }
    }

    fn wire(&self) -> AssignmentRow {
        let end = self.end.as_ref();
        let status = match end {
            Some(end) => end.result.into(),
            None if self.started_at.is_some() => AssignmentStatus::Running,
            None => AssignmentStatus::Pending,
        };
        AssignmentRow {
            id: self.id.clone(),
            spec: self.body.clone(),
            status,
            pid: None,
            started_at: self.started_at,
            finished_at: self.finished_at,
            exit_code: end.and_then(|end| end.exit_code),
            log_path: None,
            error: end.and_then(|end| end.error.clone()),
            branch: end.and_then(|end| end.branch.clone()),
            worktree_path: None,
        }
    }

    fn active(&self) -> ActiveRow {
        ActiveRow {
            assignment: self.wire(),
            progress: Progress {
                stuck: self.stuck.clone(),
                ..Progress::default()
            },
            model_used: None,
            turns: 0,
            cost_so_far: 0.0,
            last_tool: None,
            rate_limited: false,
            files: self.files.clone(),
            edits: self.edits.clone(),
        }
    }

    /// An agent of 0.1.0 says less about the end.
    fn completed(&self, old: bool) -> CompletedRow {
        CompletedRow {
            assignment: self.wire(),
            model_used: None,
            total_cost_usd: None,
            num_turns: None,
            stop_reason: None,
            end: self.end.clone().filter(|_| !old),
            edits: self.edits.clone(),
        }
    }
}

fn router(script: Arc<Script>) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/status", get(status))
        .route("/repos", get(repos))
        .route("/events", get(events))
        .route("/assign", post(assign))
        .route("/cancel/{id}", post(cancel))
        .route("/input/{id}", post(input))
        .route("/lease/{id}", post(lease))
        .route("/wip/{id}", get(wip))
        .with_state(script)
}

async fn health(State(script): State<Arc<Script>>) -> Json<Health> {
    Json(Health {
        machine: "m1".to_owned(),
        features: script.seen.borrow().features.clone(),
        ..Health::default()
    })
}

async fn status(State(script): State<Arc<Script>>) -> Json<StatusAnswer> {
    let gate = script.seen.borrow().status_gate.clone();
    if let Some(gate) = gate {
        gate.notified().await;
    }
    let answer = script.status();
    // Only now: what happens after a look is not in its answer.
    script.seen.send_modify(|seen| seen.looks += 1);
    Json(answer)
}

async fn repos(State(script): State<Arc<Script>>) -> Json<Repos> {
    script.seen.send_modify(|seen| seen.repos += 1);
    let checkouts = script.seen.borrow().checkouts.clone();
    let states = checkouts.into_iter().map(|(name, path)| {
        let state = match Repo::open(&path).and_then(|repo| repo.status()) {
            Ok(status) => RepoState::Ready {
                sha: status.sha.unwrap().to_string(),
                branch: status.branch,
                dirty: status.dirty,
                path: path.display().to_string(),
            },
            Err(error) => RepoState::Broken {
                missing: matches!(error, GitError::NotThere { .. }),
                error: error.to_string(),
                path: None,
            },
        };
        (name, state)
    });
    Json(states.collect())
}

async fn events(
    State(script): State<Arc<Script>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let events = Feature::Events.as_str();
    if !script.seen.borrow().features.iter().any(|it| it == events) {
        return refusal(StatusCode::NOT_FOUND, None);
    }
    let lines = BroadcastStream::new(script.lines.subscribe());
    let cursor = headers.get("last-event-id").map(|it| it.to_str().unwrap());
    let missed: Vec<AgentEvent> = {
        let seen = script.seen.borrow();
        let later = |after: u64| seen.log.iter().filter(move |it| it.seq > after);
        match cursor.map(str::parse) {
            None => Vec::new(),
            Some(Ok(after)) => later(after).cloned().collect(),
            Some(Err(_)) => vec![event(seen.seq, None, AgentEventKind::Resync)],
        }
    };
    script.seen.send_modify(|seen| {
        seen.subscriptions += 1;
        seen.promises += usize::from(query.as_deref() == Some("leases=true"));
    });
    let last = missed.last().map_or(0, |it: &AgentEvent| it.seq);
    let now = lines.map_while(|line| match line {
        Ok(Line::Event(event)) => Some(*event),
        Ok(Line::Cut) | Err(_) => None,
    });
    let now = now.filter(move |event| event.seq > last);
    let events = tokio_stream::iter(missed).chain(now).map(|event| {
        let data = Event::default()
            .event(event.kind.as_str())
            .json_data(&event);
        Ok::<_, Infallible>(data.unwrap().id(event.seq.to_string()))
    });
    Sse::new(events).into_response()
}

async fn lease(
    State(script): State<Arc<Script>>,
    Path(id): Path<String>,
    Json(answer): Json<LeaseAnswer>,
) -> Json<LeaseTaken> {
    script
        .seen
        .send_modify(|seen| seen.answered.push((id, answer)));
    Json(LeaseTaken { taken: true })
}

/// The work of a worker, as an agent sends it: a bundle, unless the caller has it.
async fn wip(
    State(script): State<Arc<Script>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let known = headers.get("if-none-match").map(|it| it.to_str().unwrap());
    let known = known.map(|it| CommitId::new(it.trim_matches('"').to_owned()));
    let saves = script.seen.borrow().saves.clone();
    let bundle = saves.and_then(|path| {
        let have: Vec<CommitId> = known.iter().cloned().collect();
        let repo = Repo::open(path).unwrap();
        repo.wip_bundle(&id.parse().unwrap(), &have).unwrap()
    });
    let response = match bundle {
        None => refusal(StatusCode::CONFLICT, None),
        Some(bundle) if Some(&bundle.commit) == known.as_ref() => {
            StatusCode::NOT_MODIFIED.into_response()
        }
        Some(bundle) => {
            let tag = [("etag", format!("\"{}\"", bundle.commit))];
            (tag, bundle.bytes).into_response()
        }
    };
    let status = response.status().as_u16();
    script.seen.send_modify(|seen| seen.wips.push((id, status)));
    response
}

async fn assign(State(script): State<Arc<Script>>, Json(body): Json<AssignBody>) -> Response {
    script
        .seen
        .send_modify(|seen| seen.assigns.push(body.clone()));
    let work = || script.take_on(body);
    treat(script.next_answer(), StatusCode::ACCEPTED, work).await
}

async fn cancel(State(script): State<Arc<Script>>, Path(id): Path<String>) -> Response {
    script
        .seen
        .send_modify(|seen| seen.cancels.push(id.clone()));
    let work = || {
        let seen = script.seen.borrow();
        let row = seen.rows.iter().find(|row| row.id.as_str() == id);
        row.map(Row::wire).ok_or(StatusCode::NOT_FOUND)
    };
    treat(script.next_answer(), StatusCode::OK, work).await
}

/// Told to whoever runs.
async fn input(
    State(script): State<Arc<Script>>,
    Path(id): Path<String>,
    Json(body): Json<InputBody>,
) -> Response {
    let told = (id.clone(), body.message, body.key);
    script.seen.send_modify(|seen| seen.inputs.push(told));
    let work = || {
        let seen = script.seen.borrow();
        let row = seen.rows.iter().find(|row| row.id.as_str() == id);
        match row.ok_or(StatusCode::NOT_FOUND)? {
            row if row.started_at.is_some() && row.end.is_none() => Ok(row.wire()),
            _ => Err(StatusCode::CONFLICT),
        }
    };
    treat(script.next_answer(), StatusCode::ACCEPTED, work).await
}

async fn treat(
    answer: Option<Answer>,
    success: StatusCode,
    work: impl FnOnce() -> Result<AssignmentRow, StatusCode>,
) -> Response {
    match &answer {
        Some(Answer::Refuse {
            status,
            retry_after,
        }) => {
            return refusal(StatusCode::from_u16(*status).unwrap(), *retry_after);
        }
        Some(Answer::Held(go)) => go.notified().await,
        Some(Answer::DoneButSilent | Answer::DoneButHeld(_)) | None => {}
    }
    let done = work();
    match answer {
        Some(Answer::DoneButSilent) => std::future::pending().await,
        Some(Answer::DoneButHeld(go)) => go.notified().await,
        Some(Answer::Refuse { .. } | Answer::Held(_)) | None => {}
    }
    match done {
        Ok(row) => (success, Json(row)).into_response(),
        Err(status) => refusal(status, None),
    }
}

fn refusal(status: StatusCode, retry_after: Option<u64>) -> Response {
    let body = ErrorBody {
        error: "the script says no".to_owned(),
        hint: None,
    };
    let mut response = (status, Json(body)).into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert("retry-after", seconds.into());
    }
    response
}

//! What forges on the network answered, to ask them again at less cost, what is left of their rate
//! limits, and which issues they were asked to open without a known outcome. It knows nothing of HTTP: what may be kept is for the forge to say.

use coord_core::ids::Timestamp;
use rusqlite::{OptionalExtension, Row};

use crate::error::StoreError;
use crate::scope::{from_sql, to_sql};
use crate::store::Store;

/// An answer that was not refreshed for so long is forgotten.
const KEEP_MILLIS: i64 = 30 * 24 * 60 * 60 * 1000;

/// An answer of a forge, with what is needed to ask whether it still holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedAnswer {
    /// The header `ETag`, as it came.
    pub etag: String,
    /// The body.
    pub body: Vec<u8>,
    /// The header `Link`, which leads to the next page.
    pub link: Option<String>,
}

/// What is left of one of the budgets of a forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// Its name on the forge, e.g. `core`.
    pub resource: String,
    /// Requests until it is filled up again.
    pub limit: u64,
    /// How many of them are left.
    pub remaining: u64,
    /// When it is filled up again.
    pub resets_at: Timestamp,
    /// Until when nothing is to be asked.
    pub parked_until: Option<Timestamp>,
    /// When the forge said so.
    pub seen_at: Timestamp,
}

/// How long an issue of which nobody knows whether it was opened is looked for.
const LOOK_FOR_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// The beginning of the opening of an issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// By which the issue is known.
    pub key: String,
    /// When the key was made.
    pub since: Timestamp,
    /// Whether an earlier call began with this key, and nobody knows what came of it.
    pub is_old: bool,
}

/// What one forge on the network told one account.
#[derive(Debug, Clone)]
pub struct ForgeCache {
    store: Store,
    scope: String,
}

const LIMIT: &str =
    "SELECT scope, resource, most, remaining, resets_at, parked_until, seen_at FROM forge_limits";

impl ForgeCache {
    /// That of `scope`: the forge and who asks it. It is shown to people and must hold no secret.
    #[must_use]
    pub fn new(store: Store, scope: impl Into<String>) -> Self {
        Self {
            store,
            scope: scope.into(),
        }
    }

    /// What was answered at `url` last.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn answer(&self, url: &str) -> Result<Option<CachedAnswer>, StoreError> {
        let (scope, url) = (self.scope.clone(), url.to_owned());
        self.store
            .read(move |view| {
                let mut query = view.conn.prepare_cached(
                    "SELECT etag, body, link FROM forge_answers WHERE scope = ?1 AND url = ?2",
                )?;
                let answer = query.query_row((scope, url), |row| {
                    Ok(CachedAnswer {
                        etag: row.get(0)?,
                        body: row.get(1)?,
                        link: row.get(2)?,
                    })
                });
                Ok(answer.optional()?)
            })
            .await
    }

    /// Keeps what was answered at `url` in place of what was kept before, and forgets what nobody
    /// refreshed in the last 30 days.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn keep_answer(
        &self,
        url: &str,
        answer: CachedAnswer,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (scope, url) = (self.scope.clone(), url.to_owned());
        self.store
            .write(move |view| {
                let mut forget = view
                    .conn
                    .prepare_cached("DELETE FROM forge_answers WHERE at < ?1")?;
                forget.execute([now.as_millis().saturating_sub(KEEP_MILLIS)])?;
                let mut keep = view.conn.prepare_cached(
                    "INSERT OR REPLACE INTO forge_answers (scope, url, etag, body, link, at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?;
                let CachedAnswer { etag, body, link } = answer;
                keep.execute((scope, url, etag, body, link, now.as_millis()))?;
                Ok(())
            })
            .await
    }

    /// Writes down that `issue`, in any form that tells it from others, is about to be opened at
    /// `route`: with `key`, or with that of a call within the last day that nobody knows the outcome
    /// of. To be called before the forge is.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn begin_opening(
        &self,
        route: &str,
        issue: &str,
        key: &str,
        now: Timestamp,
    ) -> Result<Opening, StoreError> {
        let scope = self.scope.clone();
        let [route, issue, key] = [route, issue, key].map(str::to_owned);
        self.store
            .write(move |view| {
                let mut forget = view
                    .conn
                    .prepare_cached("DELETE FROM forge_openings WHERE at < ?1")?;
                forget.execute([now.as_millis().saturating_sub(LOOK_FOR_MILLIS)])?;
                let mut begin = view.conn.prepare_cached(
                    "INSERT INTO forge_openings (scope, route, issue, key, at)
                     VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT DO UPDATE SET key = key RETURNING key, at",
                )?;
                let opening =
                    begin.query_row((scope, route, issue, &key, now.as_millis()), |row| {
                        let found: String = row.get(0)?;
                        Ok(Opening {
                            is_old: found != key,
                            key: found,
                            since: Timestamp::from_millis(row.get(1)?),
                        })
                    })?;
                Ok(opening)
            })
            .await
    }

    /// Says that it is known what came of an opening.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn end_opening(&self, opening: &Opening) -> Result<(), StoreError> {
        let (scope, key) = (self.scope.clone(), opening.key.clone());
        self.store
            .write(move |view| {
                let mut end = view
                    .conn
                    .prepare_cached("DELETE FROM forge_openings WHERE scope = ?1 AND key = ?2")?;
                end.execute((scope, key))?;
                Ok(())
            })
            .await
    }

    /// What is left of the budgets of this scope, by resource.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn limits(&self) -> Result<Vec<RateLimit>, StoreError> {
        let scope = self.scope.clone();
        self.store
            .read(move |view| {
                let mut query = view
                    .conn
                    .prepare_cached(&format!("{LIMIT} WHERE scope = ?1 ORDER BY resource"))?;
                let rows = query.query_map([scope], read_limit)?;
                rows.map(|row| Ok(row?.1)).collect()
            })
            .await
    }

    /// Writes down what is left of a budget, unless something later is known.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn set_limit(&self, limit: RateLimit) -> Result<(), StoreError> {
        let scope = self.scope.clone();
        self.store
            .write(move |view| {
                let mut set = view.conn.prepare_cached(
                    "INSERT INTO forge_limits
                     (scope, resource, most, remaining, resets_at, parked_until, seen_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                     ON CONFLICT (scope, resource) DO UPDATE
                     SET most = excluded.most, remaining = excluded.remaining,
                         resets_at = excluded.resets_at, parked_until = excluded.parked_until,
                         seen_at = excluded.seen_at
                     WHERE excluded.seen_at >= seen_at",
                )?;
                set.execute((
                    scope,
                    limit.resource,
                    to_sql(limit.limit),
                    to_sql(limit.remaining),
                    limit.resets_at.as_millis(),
                    limit.parked_until.map(Timestamp::as_millis),
                    limit.seen_at.as_millis(),
                ))?;
                Ok(())
            })
            .await
    }
}

impl Store {
    /// What is left of the budgets of every forge, each with its scope; by scope and resource.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn rate_limits(&self) -> Result<Vec<(String, RateLimit)>, StoreError> {
        self.read(|view| {
            let mut query = view
                .conn
                .prepare_cached(&format!("{LIMIT} ORDER BY scope, resource"))?;
            let rows = query.query_map([], read_limit)?;
            rows.map(|row| Ok(row?)).collect()
        })
        .await
    }
}

fn read_limit(row: &Row<'_>) -> rusqlite::Result<(String, RateLimit)> {
    let parked_until: Option<i64> = row.get(5)?;
    let limit = RateLimit {
        resource: row.get(1)?,
        limit: from_sql(row.get(2)?),
        remaining: from_sql(row.get(3)?),
        resets_at: Timestamp::from_millis(row.get(4)?),
        parked_until: parked_until.map(Timestamp::from_millis),
        seen_at: Timestamp::from_millis(row.get(6)?),
    };
    Ok((row.get(0)?, limit))
}

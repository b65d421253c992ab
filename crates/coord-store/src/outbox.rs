//! Effects that wait to be carried out, and the leases that make sure one process does it.

use coord_core::effect::{Effect, EffectRequest};
use coord_core::ids::{EffectKey, Timestamp};
use rusqlite::{Connection, OptionalExtension, named_params};

use crate::error::{Fault, StoreError};

/// An effect that the caller may carry out until its lease ends.
#[derive(Debug, Clone, PartialEq)]
pub struct LeasedEffect {
    /// Its key.
    pub key: EffectKey,
    /// What to do.
    pub effect: Effect,
    /// How often it was leased, this time included. More than 1: an earlier outcome is unknown
    /// or was a transient failure.
    pub attempts: u32,
}

/// One effect without an outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxRow {
    /// Its key.
    pub key: EffectKey,
    /// What to do.
    pub effect: Effect,
    /// Who carries it out, and until when nobody else does; `None` while it waits.
    pub lease: Option<(String, Timestamp)>,
    /// How often it was leased.
    pub attempts: u32,
    /// Not to be carried out before this instant.
    pub not_before: Timestamp,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it was put into the outbox.
    pub queued_at: Timestamp,
}

/// Who wants a lease, and for how long.
pub(crate) struct Lease {
    pub(crate) owner: String,
    pub(crate) now: Timestamp,
    pub(crate) until: Timestamp,
}

/// Whether the row may be leased at `:now`.
const DUE: &str = "(state = 'pending' AND not_before <= :now)
    OR (state = 'leased' AND lease_until <= :now)";

/// Puts the effect into the outbox, unless its key is or was there already.
pub(crate) fn enqueue(
    conn: &Connection,
    request: &EffectRequest,
    now: Timestamp,
) -> Result<(), Fault> {
    let unstorable = |e: serde_json::Error| StoreError::Unstorable {
        what: format!("effect {}", request.key),
        reason: e.to_string(),
    };
    let body = serde_json::to_string(&request.effect).map_err(unstorable)?;
    let _: Effect = serde_json::from_str(&body).map_err(unstorable)?;
    conn.prepare_cached(
        "INSERT INTO outbox (key, effect, state, not_before, queued_at)
         VALUES (?1, ?2, 'pending', ?3, ?4)
         ON CONFLICT (key) DO NOTHING",
    )?
    .execute((
        request.key.as_str(),
        body,
        request.not_before.unwrap_or(now).as_millis(),
        now.as_millis(),
    ))?;
    Ok(())
}

/// Marks the effect as done, whoever has it.
pub(crate) fn settle(conn: &Connection, key: &EffectKey) -> Result<(), Fault> {
    conn.prepare_cached(
        "UPDATE outbox SET state = 'done', lease_owner = NULL, lease_until = NULL WHERE key = ?1",
    )?
    .execute([key.as_str()])?;
    Ok(())
}

pub(crate) fn lease_due(
    conn: &Connection,
    lease: &Lease,
    limit: u32,
) -> Result<Vec<LeasedEffect>, Fault> {
    let keys: Vec<String> = conn
        .prepare_cached(&format!(
            "SELECT key FROM outbox WHERE state <> 'done' AND ({DUE})
             ORDER BY queued_at, rowid LIMIT :limit"
        ))?
        .query_map(
            named_params! { ":now": lease.now.as_millis(), ":limit": limit },
            |row| row.get(0),
        )?
        .collect::<Result<_, _>>()?;
    let mut leased = Vec::with_capacity(keys.len());
    for key in keys {
        leased.extend(lease_one(conn, lease, &EffectKey::new(key))?);
    }
    Ok(leased)
}

pub(crate) fn lease_one(
    conn: &Connection,
    lease: &Lease,
    key: &EffectKey,
) -> Result<Option<LeasedEffect>, Fault> {
    let row: Option<(String, u32)> = conn
        .prepare_cached(&format!(
            "UPDATE outbox
             SET state = 'leased', lease_owner = :owner, lease_until = :until,
                 attempts = attempts + 1
             WHERE key = :key AND ({DUE})
             RETURNING effect, attempts"
        ))?
        .query_row(
            named_params! {
                ":key": key.as_str(),
                ":owner": lease.owner,
                ":until": lease.until.as_millis(),
                ":now": lease.now.as_millis(),
            },
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    row.map(|(body, attempts)| {
        Ok(LeasedEffect {
            key: key.clone(),
            effect: parse(key.as_str(), &body)?,
            attempts,
        })
    })
    .transpose()
}

pub(crate) fn renew(conn: &Connection, lease: &Lease, key: &EffectKey) -> Result<bool, Fault> {
    let renewed = conn.execute(
        "UPDATE outbox SET lease_until = ?3
         WHERE key = ?1 AND state = 'leased' AND lease_owner = ?2",
        (key.as_str(), &lease.owner, lease.until.as_millis()),
    )?;
    Ok(renewed == 1)
}

pub(crate) fn reschedule(
    conn: &Connection,
    key: &EffectKey,
    owner: &str,
    not_before: Timestamp,
    error: &str,
) -> Result<bool, Fault> {
    let given_back = conn.execute(
        "UPDATE outbox
         SET state = 'pending', lease_owner = NULL, lease_until = NULL,
             not_before = ?3, last_error = ?4
         WHERE key = ?1 AND state = 'leased' AND lease_owner = ?2",
        (key.as_str(), owner, not_before.as_millis(), error),
    )?;
    Ok(given_back == 1)
}

pub(crate) fn next_due(conn: &Connection) -> Result<Option<Timestamp>, Fault> {
    let millis: Option<i64> = conn.query_row(
        "SELECT min(CASE state WHEN 'leased' THEN lease_until ELSE not_before END)
         FROM outbox WHERE state <> 'done'",
        [],
        |row| row.get(0),
    )?;
    Ok(millis.map(Timestamp::from_millis))
}

pub(crate) fn open_rows(conn: &Connection) -> Result<Vec<OutboxRow>, Fault> {
    let mut query = conn.prepare(
        "SELECT key, effect, lease_owner, lease_until, attempts, not_before, last_error, queued_at
         FROM outbox WHERE state <> 'done' ORDER BY queued_at, rowid",
    )?;
    let mut rows = query.query([])?;
    let mut open = Vec::new();
    while let Some(row) = rows.next()? {
        let key: String = row.get(0)?;
        let body: String = row.get(1)?;
        let owner: Option<String> = row.get(2)?;
        let until: Option<i64> = row.get(3)?;
        open.push(OutboxRow {
            effect: parse(&key, &body)?,
            key: EffectKey::new(key),
            lease: owner.zip(until.map(Timestamp::from_millis)),
            attempts: row.get(4)?,
            not_before: Timestamp::from_millis(row.get(5)?),
            last_error: row.get(6)?,
            queued_at: Timestamp::from_millis(row.get(7)?),
        });
    }
    Ok(open)
}

fn parse(key: &str, body: &str) -> Result<Effect, Fault> {
    serde_json::from_str(body).map_err(|e| {
        Fault::Known(StoreError::Corrupt {
            what: format!("effect {key}"),
            reason: e.to_string(),
        })
    })
}

//! What a request says of the conversation so far, and which turn of which script follows from it.

use serde::Deserialize;
use serde_json::Value;

use super::script::{Step, Turn, turns};

/// The body of `POST /v1/messages`, as far as it is read.
#[derive(Debug, Deserialize)]
pub(super) struct MessagesRequest {
    #[serde(default)]
    pub(super) model: String,
    #[serde(default)]
    pub(super) stream: bool,
    #[serde(default)]
    messages: Vec<Message>,
    #[serde(default)]
    tools: Vec<Value>,
    #[serde(default)]
    metadata: Value,
}

#[derive(Debug, Deserialize)]
struct Message {
    role: String,
    content: Value,
}

/// The turn that a conversation has come to.
#[derive(Debug, PartialEq)]
pub(super) struct Place {
    /// The number of the turn in its script; `None` where no script is followed.
    pub(super) number: Option<usize>,
    pub(super) turn: Turn,
    /// Tells the attempts at this turn from those at others.
    pub(super) key: String,
}

impl MessagesRequest {
    /// The turn that comes next. The latest prompt with a script counts, and of it the answers so far.
    ///
    /// # Errors
    /// When the script cannot be read: what is wrong with it.
    pub(super) fn place(&self) -> Result<Place, String> {
        // Without tools the CLI asks on its own behalf, e.g. for a title.
        let script = if self.tools.is_empty() {
            None
        } else {
            self.latest_script()
        };
        let Some((at, script)) = script else {
            return Ok(Place {
                number: None,
                turn: Turn::done(),
                key: String::new(),
            });
        };
        let steps: Vec<Step> =
            serde_json::from_str(&script).map_err(|error| format!("bad script: {error}"))?;
        let number = self.messages[at..]
            .iter()
            .filter(|message| message.role == "assistant")
            .count();
        let turn = turns(steps)
            .into_iter()
            .nth(number)
            .unwrap_or_else(Turn::done);
        let key = format!("{number} {} {script}", self.metadata);
        Ok(Place {
            number: Some(number),
            turn,
            key,
        })
    }

    fn latest_script(&self) -> Option<(usize, String)> {
        let messages = self.messages.iter().enumerate().rev();
        let mut prompts = messages.filter(|(_, message)| message.role == "user");
        prompts.find_map(|(at, message)| Some((at, message.texts().find_map(fenced_script)?)))
    }
}

impl Message {
    /// What a person said; what tools answered is not among it.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let blocks = self
            .content
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        self.content
            .as_str()
            .into_iter()
            .chain(blocks.iter().filter_map(|block| block["text"].as_str()))
    }
}

fn fenced_script(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("```messages-script")?;
    let (script, _) = rest.split_once("```")?;
    Some(script.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn place(messages: &Value) -> Result<Place, String> {
        let request = json!({"messages": messages, "tools": [{"name": "Bash"}]});
        serde_json::from_value::<MessagesRequest>(request)
            .unwrap()
            .place()
    }

    fn prompt(script: &str) -> Value {
        json!({"role": "user", "content": [{"type": "text", "text": format!("Do it.\n```messages-script\n{script}\n```\n")}]})
    }

    #[test]
    fn the_turn_follows_from_the_answers_so_far() {
        let script = r#"[{"bash":"one"},{"bash":"two"},{"text":"three"}]"#;
        let answer = json!({"role": "assistant", "content": []});
        let result = json!({"role": "user", "content": [{"type": "tool_result", "content": "x"}]});
        let mut messages = vec![prompt(script)];
        for number in 0..5 {
            let place = place(&json!(messages)).unwrap();
            assert_eq!(place.number, Some(number));
            assert_eq!(place.turn.tool.is_some(), number < 2);
            messages.extend([answer.clone(), result.clone()]);
        }
    }

    #[test]
    fn the_latest_script_counts() {
        let messages = json!([
            prompt(r#"[{"text":"old"}]"#), {"role": "assistant", "content": "old"},
            prompt(r#"[{"text":"new"}]"#), {"role": "user", "content": "go on"},
        ]);
        assert_eq!(place(&messages).unwrap().turn.text, ["new"]);
    }

    #[test]
    fn no_script_means_done_and_a_bad_one_is_told() {
        let hello = json!([{"role": "user", "content": "hello"}]);
        assert_eq!(place(&hello).unwrap().number, None);
        assert!(
            place(&json!([prompt("[{\"dance\":1}]")]))
                .unwrap_err()
                .contains("dance")
        );
    }
}

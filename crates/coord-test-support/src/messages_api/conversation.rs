//! What a request says of the conversation so far, and which turn of which script follows from it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::Value;

use super::script::{Step, Turn, Varied, turns, with_files};

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

/// Which prompts have followed each script: what the server remembers, for scripts that differ from
/// one attempt to the next.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<HashMap<String, Vec<String>>>);

impl Attempts {
    /// How many other prompts have followed the script before this one. Prompts hold a nonce: no two
    /// workers are given the same.
    fn before(&self, script: &str, prompt: &str) -> usize {
        let mut prompts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let prompts = prompts.entry(script.to_owned()).or_default();
        if let Some(place) = prompts.iter().position(|it| it == prompt) {
            return place;
        }
        prompts.push(prompt.to_owned());
        prompts.len() - 1
    }
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
    pub(super) fn place(&self, attempts: &Attempts) -> Result<Place, String> {
        // Without tools the CLI asks on its own behalf, e.g. for a title.
        let script = if self.tools.is_empty() {
            None
        } else {
            self.latest_script()
        };
        let Some((at, prompt, script)) = script else {
            return Ok(Place {
                number: None,
                turn: Turn::done(),
                key: String::new(),
            });
        };
        let steps = steps(&script, prompt, attempts).map_err(|e| e.to_string());
        let steps = steps
            .and_then(with_files)
            .map_err(|e| format!("bad script: {e}"))?;
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

    /// Everything that the model is told since its last answer.
    pub(super) fn heard(&self) -> String {
        let told = self.messages.iter().rev();
        let told = told.take_while(|message| message.role != "assistant");
        let mut told: Vec<String> = told.map(Message::everything).collect();
        told.reverse();
        told.join("\n")
    }

    fn latest_script(&self) -> Option<(usize, &str, String)> {
        let messages = self.messages.iter().enumerate().rev();
        let mut prompts = messages.filter(|(_, message)| message.role == "user");
        prompts.find_map(|(at, message)| {
            let script = |text| Some((at, text, fenced_script(text)?));
            message.texts().find_map(script)
        })
    }
}

fn steps(script: &str, prompt: &str, attempts: &Attempts) -> serde_json::Result<Vec<Step>> {
    if !script.starts_with('{') {
        return serde_json::from_str(script);
    }
    let mut all = serde_json::from_str::<Varied>(script)?.attempts;
    all.truncate(attempts.before(script, prompt) + 1);
    Ok(all.pop().unwrap_or_default())
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

impl Message {
    /// What a person said, and what tools answered.
    fn everything(&self) -> String {
        let mut said: Vec<&str> = self.texts().collect();
        let blocks = self.content.as_array().map(Vec::as_slice);
        for result in blocks.unwrap_or_default().iter().map(|it| &it["content"]) {
            let parts = result.as_array().map(Vec::as_slice).unwrap_or_default();
            said.extend(result.as_str());
            said.extend(parts.iter().filter_map(|part| part["text"].as_str()));
        }
        said.join("\n")
    }
}

/// The script of a prompt: the last one whose phrase stands outside of the scripts, else the one
/// without a phrase.
fn fenced_script(text: &str) -> Option<String> {
    let mut parts = text.split("```messages-script");
    let mut prose = parts.next().unwrap_or_default().to_owned();
    let mut scripts = Vec::new();
    for part in parts {
        let (script, rest) = part.split_once("```")?;
        let (head, steps) = script.split_once('\n')?;
        scripts.push((head.trim().strip_prefix("when "), steps.trim()));
        prose.push_str(rest);
    }
    let fits = |(phrase, _): &&(Option<&str>, &str)| phrase.is_some_and(|it| prose.contains(it));
    let plain = |(phrase, _): &&(Option<&str>, &str)| phrase.is_none();
    let chosen = scripts
        .iter()
        .rfind(fits)
        .or_else(|| scripts.iter().find(plain));
    chosen.map(|(_, steps)| (*steps).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn place(messages: &Value) -> Result<Place, String> {
        let request = json!({"messages": messages, "tools": [{"name": "Bash"}]});
        serde_json::from_value::<MessagesRequest>(request)
            .unwrap()
            .place(&Attempts::default())
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
    fn the_prompt_chooses_among_scripts_with_a_phrase() {
        let text = |prompt: &str| {
            let prompt = format!(
                "{prompt}\n```messages-script\n[{{\"text\":\"work\"}}]\n```\nand\n\
                 ```messages-script when a reviewer\n[{{\"text\":\"review\"}}]\n```\n\
                 ```messages-script when +fixed\n[{{\"text\":\"again\"}}]\n```\n"
            );
            let messages = json!([{"role": "user", "content": prompt}]);
            place(&messages).unwrap().turn.text.concat()
        };
        assert_eq!(text("You are a worker"), "work");
        assert_eq!(text("You are a reviewer"), "review");
        assert_eq!(text("You are a reviewer of\n+fixed\n"), "again");
    }

    #[test]
    fn each_attempt_has_its_own_script() {
        let script = r#"{"attempts":[[{"text":"bad"}],[{"text":"good"}]]}"#;
        let attempts = Attempts::default();
        let said = |nonce: &str| {
            let text = format!("{nonce}\n```messages-script\n{script}\n```\n");
            let request = json!({"messages": [{"role": "user", "content": text}], "tools": [{}]});
            let request: MessagesRequest = serde_json::from_value(request).unwrap();
            request.place(&attempts).unwrap().turn.text.concat()
        };
        assert_eq!(
            ["a", "a", "b", "c", "a"].map(said),
            ["bad", "bad", "good", "good", "bad"]
        );
    }

    #[test]
    fn what_is_heard_is_what_came_since_the_last_answer() {
        let result = json!({"role": "user", "content": [
            {"type": "tool_result", "content": "one"},
            {"type": "tool_result", "content": [{"type": "text", "text": "two"}]},
            {"type": "text", "text": "three"},
        ]});
        let messages = json!([prompt("[]"), {"role": "assistant", "content": "old"}, result,
            {"role": "user", "content": "four"}]);
        let request = json!({"messages": messages});
        let request: MessagesRequest = serde_json::from_value(request).unwrap();
        let heard = request.heard();
        let mut words: Vec<&str> = heard.lines().collect();
        words.sort_unstable();
        assert_eq!(words, ["four", "one", "three", "two"]);
    }

    #[test]
    fn steps_may_stand_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steps.json");
        let script = json!([{"from": path}, {"text": "and so on"}]).to_string();
        let told = |script: &str| place(&json!([prompt(script)]));
        assert!(told(&script).unwrap_err().contains("steps.json"));
        std::fs::write(&path, r#"[{"text":"once"}]"#).unwrap();
        assert_eq!(told(&script).unwrap().turn.text, ["once", "and so on"]);
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

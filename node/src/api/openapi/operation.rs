//! One operation of the document, written down in a few calls.
//!
//! Invariants: each operation tells what the layers around all routes may answer; an error is
//! never described twice, but by its row in the table of `problem.rs`.

use serde_json::{Map, Value, json};

use super::schemas::{reference, text};

/// What any request may be answered, whatever its route: too slow, address too long, too many
/// requests, head too large, our own fault.
const ANYWHERE: [u16; 5] = [408, 414, 429, 431, 500];

/// Whether an operation takes a token.
#[derive(Clone, Copy, Debug)]
pub(super) enum Token {
    /// It shows more to whoever has one of this scope.
    Optional(&'static str),
    /// Nothing without one of this scope.
    Needed(&'static str),
}

/// A method on a route.
pub(super) struct Operation {
    /// In lower case.
    pub(super) method: &'static str,
    /// The path as the router has it: `{*rest}` takes slashes too.
    pub(super) route: String,
    /// Any page of the web may read its answers.
    pub(super) is_shared: bool,
    fields: Map<String, Value>,
    parameters: Vec<Value>,
    responses: Map<String, Value>,
}

impl Operation {
    /// A read, which answers HEAD too.
    pub(super) fn get(route: &str) -> Operation {
        Operation::of("get", route)
    }

    /// Something is handed in.
    pub(super) fn post(route: &str) -> Operation {
        Operation::of("post", route)
    }

    /// Something is given up.
    pub(super) fn delete(route: &str) -> Operation {
        Operation::of("delete", route)
    }

    /// What may be done here.
    pub(super) fn options(route: &str) -> Operation {
        Operation::of("options", route)
    }

    /// What a page of another origin asks before this read.
    pub(super) fn preflight(&self) -> Option<Operation> {
        if self.method != "get" || !self.is_shared {
            return None;
        }
        let of = |field: &str| self.fields.get(field).and_then(Value::as_str).unwrap_or_default();
        let name = of("operationId");
        let name = format!("preflight{}{}", name[..1].to_uppercase(), &name[1..]);
        let tag = self.fields.get("tags").and_then(|tags| tags[0].as_str()).unwrap_or_default();
        let mut operation = Operation::of("options", &self.route)
            .says(&name, tag, "What a page of another origin may ask here")
            .answers(204, "Preflight")
            .shared();
        let in_path = self.parameters.iter().filter(|one| one["in"] == "path");
        operation.parameters.extend(in_path.cloned());
        Some(operation)
    }

    /// The answer to every preflight.
    pub(super) fn preflight_answer() -> Value {
        let head = [
            "Allow",
            "Access-Control-Allow-Methods",
            "Access-Control-Allow-Headers",
            "Access-Control-Max-Age",
        ];
        let preflight = Operation::of("options", "").gives(204, "GET and HEAD.", &[], &head);
        preflight.shared().to_json()["responses"]["204"].clone()
    }

    fn of(method: &'static str, route: &str) -> Operation {
        let operation = Operation {
            method,
            route: route.to_owned(),
            is_shared: false,
            fields: Map::new(),
            parameters: Vec::new(),
            responses: Map::new(),
        };
        operation.fails(&ANYWHERE)
    }

    /// Its unique name, its tag and its summary.
    pub(super) fn says(mut self, id: &str, tag: &str, summary: &str) -> Operation {
        self.fields.insert("operationId".to_owned(), json!(id));
        self.fields.insert("tags".to_owned(), json!([tag]));
        self.fields.insert("summary".to_owned(), json!(summary));
        self
    }

    /// What the summary has no room for.
    pub(super) fn about(mut self, text: &str) -> Operation {
        self.fields.insert("description".to_owned(), json!(text));
        self
    }

    /// A part of the path, with an example; all of them can be unreadable.
    pub(super) fn path(self, name: &str, schema: Value, example: &str, about: &str) -> Operation {
        let parameter = json!({
            "name": name, "in": "path", "required": true, "description": about, "schema": schema,
            "example": example,
        });
        self.parameter(parameter).fails(&[400])
    }

    /// A parameter of the query.
    pub(super) fn query(self, name: &str, schema: Value, about: &str) -> Operation {
        let parameter =
            json!({ "name": name, "in": "query", "description": about, "schema": schema });
        self.parameter(parameter)
    }

    /// A header of the request.
    pub(super) fn header(self, name: &str, schema: Value, about: &str) -> Operation {
        let parameter =
            json!({ "name": name, "in": "header", "description": about, "schema": schema });
        self.parameter(parameter)
    }

    fn parameter(mut self, parameter: Value) -> Operation {
        self.parameters.push(parameter);
        self
    }

    /// The body, in one of these media types.
    pub(super) fn takes(mut self, content: &[(&str, Value)], bytes_max: usize) -> Operation {
        let body = json!({
            "required": true, "content": content_of(content), "x-bytes-max": bytes_max,
            "description": format!("At most {bytes_max} bytes."),
        });
        self.fields.insert("requestBody".to_owned(), body);
        self.fails(&[400, 413])
    }

    /// An answer: its status, what it means, its media types and its headers.
    pub(super) fn gives(
        mut self,
        status: u16,
        about: &str,
        content: &[(&str, Value)],
        headers: &[&str],
    ) -> Operation {
        let mut response = json!({ "description": about });
        if !content.is_empty() {
            response["content"] = content_of(content);
        }
        for name in headers {
            response["headers"][*name] = reference("headers", name);
        }
        self.responses.insert(status.to_string(), response);
        self
    }

    /// An answer that several operations share, by its name.
    pub(super) fn answers(mut self, status: u16, name: &str) -> Operation {
        self.responses.insert(status.to_string(), reference("responses", name));
        self
    }

    /// A parameter that several operations share, by its name.
    pub(super) fn asked(self, name: &str) -> Operation {
        self.parameter(reference("parameters", name))
    }

    /// The answer 200 has a validator; whoever knows it is answered 304.
    pub(super) fn cached(self, about: &str, content: &[(&str, Value)]) -> Operation {
        const HEADERS: [&str; 2] = ["ETag", "Cache-Control"];
        self.header("If-None-Match", json!({ "type": "string" }), "Validators that are known.")
            .gives(200, about, content, &HEADERS)
            .gives(304, "What the client has is still so.", &[], &HEADERS)
    }

    /// Headers that answers have beside those that are told already.
    pub(super) fn tells(mut self, statuses: &[u16], names: &[&str]) -> Operation {
        for status in statuses {
            let Some(answer) = self.responses.get_mut(&status.to_string()) else { continue };
            if !answer["$ref"].is_null() {
                continue;
            }
            for name in names {
                answer["headers"][*name] = reference("headers", name);
            }
        }
        self
    }

    /// Errors, each by its status. Where a status has another body too, either may come.
    pub(super) fn fails(mut self, statuses: &[u16]) -> Operation {
        for status in statuses {
            let entry = self.responses.entry(status.to_string());
            let problem = reference("responses", &format!("Problem{status}"));
            let response = entry.or_insert(problem);
            if let Some(content) = response.get_mut("content").and_then(Value::as_object_mut) {
                content.extend(problem_content());
            }
        }
        self
    }

    /// What a token does here.
    pub(super) fn token(mut self, token: Token) -> Operation {
        let security = match token {
            Token::Optional(scope) => json!([{}, { "token": [scope] }]),
            Token::Needed(scope) => json!([{ "token": [scope] }]),
        };
        self.fields.insert("security".to_owned(), security);
        self.fails(&[401])
    }

    /// Pages of other origins may read what it answers.
    pub(super) fn shared(mut self) -> Operation {
        self.is_shared = true;
        self
    }

    /// The path as OpenAPI writes it, which has no sign for slashes in a parameter.
    pub(super) fn template(&self) -> String {
        self.route.replace("{*", "{")
    }

    /// As it stands in the document.
    pub(super) fn to_json(&self) -> Value {
        let mut value = Value::Object(self.fields.clone());
        if !self.parameters.is_empty() {
            value["parameters"] = json!(self.parameters);
        }
        let mut responses = self.responses.clone();
        let answers = responses.iter_mut().filter(|(status, _)| status.starts_with('2'));
        for (_, answer) in answers.filter(|(_, it)| self.is_shared && it["$ref"].is_null()) {
            let name = "Access-Control-Allow-Origin";
            answer["headers"][name] = reference("headers", name);
        }
        value["responses"] = Value::Object(responses);
        value
    }
}

fn content_of(content: &[(&str, Value)]) -> Value {
    let of = |(kind, schema): &(&str, Value)| ((*kind).to_owned(), json!({ "schema": schema }));
    Value::Object(content.iter().map(of).collect())
}

/// How an error is told: to everyone, and to whoever speaks COSE or CBOR.
pub(super) fn problem_content() -> Map<String, Value> {
    let content = json!({
        "application/problem+json": { "schema": reference("schemas", "Problem") },
        "application/concise-problem-details+cbor": {
            "schema": reference("schemas", "ConciseProblem"),
        },
        "text/html": { "schema": text("The same for a person with a browser.") },
    });
    content.as_object().cloned().unwrap_or_default()
}

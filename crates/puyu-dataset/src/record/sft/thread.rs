//! Building a conversation turn by turn, with an eye on who may speak after whom.

use puyu_core::{Message, Role, ToolCall};

use super::{Conversation, Note, value_fault};
use crate::fault::Fault;

/// A conversation that grows. Every method takes the field that a fault would be in.
#[derive(Default)]
pub(super) struct Thread {
    pub(super) conversation: Conversation,
    /// Ids of calls that wait for their answer, first asked first.
    open_calls: std::collections::VecDeque<String>,
    n_calls: usize,
    last: Option<Role>,
}

impl Thread {
    pub(super) fn system(&mut self, text: &str) {
        if !text.is_empty() {
            self.conversation.push(Message::system(text), Note::default());
        }
    }

    /// What a user says: after the start or after the assistant, once it has its answers.
    pub(super) fn user(&mut self, message: Message, note: Note, field: &str) -> Result<(), Fault> {
        if !matches!(self.last, None | Some(Role::Assistant)) {
            return Err(self.out_of_turn(field, "a turn of the assistant", "one of the user"));
        }
        self.closed(field)?;
        self.add(message, note)
    }

    /// What the assistant says: after a user or a tool.
    pub(super) fn assistant(
        &mut self,
        mut message: Message,
        note: Note,
        field: &str,
    ) -> Result<(), Fault> {
        if matches!(self.last, None | Some(Role::Assistant)) {
            return Err(self.out_of_turn(field, "a turn of the user", "one of the assistant"));
        }
        self.closed(field)?;
        for call in &mut message.tool_calls {
            self.open(call);
        }
        self.add(message, note)
    }

    /// What one call or all calls at once gave.
    pub(super) fn tool(
        &mut self,
        mut message: Message,
        note: Note,
        field: &str,
    ) -> Result<(), Fault> {
        let id = match &message.tool_call_id {
            Some(id) => {
                let place = self.open_calls.iter().position(|open| open == id);
                place.and_then(|place| self.open_calls.remove(place))
            }
            None => self.open_calls.pop_front(),
        };
        let Some(id) = id else {
            return Err(self.out_of_turn(field, "a call that waits for its result", "a result"));
        };
        message.tool_call_id = Some(id);
        self.add(message, note)
    }

    /// One text that answers all open calls.
    pub(super) fn answer_all(&mut self, text: &str, note: Note, field: &str) -> Result<(), Fault> {
        if self.open_calls.len() == 1 {
            let mut message = Message::new(Role::Tool, text);
            message.tool_call_id = None;
            return self.tool(message, note, field);
        }
        if self.open_calls.is_empty() {
            return Err(self.out_of_turn(field, "a call that waits for its result", "a result"));
        }
        self.open_calls.clear();
        self.add(Message::environment("plugin", text), note)
    }

    /// Adds a message of the environment, which answers whatever is open.
    pub(super) fn environment(&mut self, message: Message, note: Note) -> Result<(), Fault> {
        self.open_calls.clear();
        self.add(message, note)
    }

    /// Adds a message at any place.
    pub(super) fn add(&mut self, message: Message, note: Note) -> Result<(), Fault> {
        if message.role != Role::System {
            self.last = Some(message.role);
        }
        self.conversation.push(message, note);
        Ok(())
    }

    /// Ends a conversation, which must end with the assistant's words.
    pub(super) fn finish(self, field: &str) -> Result<Conversation, Fault> {
        self.closed(field)?;
        match self.last {
            Some(Role::Assistant) => Ok(self.conversation),
            None => Err(value_fault(field, "at least one question with its answer", "no turn")),
            Some(role) => {
                let found = format!("a last turn of role {role}");
                Err(value_fault(field, "an answer of the assistant at the end", found))
            }
        }
    }

    /// Ends a conversation that may stop anywhere but must have a turn.
    pub(super) fn finish_anywhere(self, field: &str) -> Result<Conversation, Fault> {
        match self.conversation.messages().is_empty() {
            true => Err(value_fault(field, "at least one message", "none")),
            false => Ok(self.conversation),
        }
    }

    /// Gives the call a name if it has none, and waits for its answer.
    pub(super) fn open(&mut self, call: &mut ToolCall) {
        if call.id.is_empty() {
            call.id = format!("call_{}", self.n_calls);
        }
        self.n_calls += 1;
        self.open_calls.push_back(call.id.clone());
    }

    pub(super) fn n_calls(&self) -> usize {
        self.n_calls
    }

    fn closed(&self, field: &str) -> Result<(), Fault> {
        match self.open_calls.front() {
            None => Ok(()),
            Some(_) => Err(value_fault(
                field,
                "the result of each function call before the next turn",
                format!("{} calls without a result", self.open_calls.len()),
            )),
        }
    }

    fn out_of_turn(&self, field: &str, before: &str, found: &str) -> Fault {
        let last = match self.last {
            None => "at the start".to_owned(),
            Some(role) => format!("after role {role}"),
        };
        value_fault(field, &format!("{before} before"), format!("{found} {last}"))
    }
}

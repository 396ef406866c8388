//! Finds the end of one JSON value in a text, or the position and the reason of the first error.
//!
//! The scanner checks only the grammar, and does not decode the value. It accepts escapes of unpaired surrogates,
//! because they are replaced before the value is decoded.

/// The result of reading a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scanned {
    /// A complete value, which ends at this position.
    Complete(usize),
    /// The text is prose and not JSON, such as `[see below]`. The search for the next value continues at this position.
    Prose(usize),
    /// A value that is valid JSON only up to the position of its first error.
    Malformed(Malformed),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    /// The position at which the invalid value starts.
    pub start: usize,
    /// The position of the first error.
    pub at: usize,
    pub reason: &'static str,
    /// The position after the invalid value, at which the search continues.
    pub resume: usize,
}

/// An object or array that is not closed yet.
struct Open {
    start: usize,
    closer: u8,
    /// Whether the container is JSON and not prose. It is JSON if an element, or a field name with its colon, was read.
    is_json: bool,
}

/// The position and the reason of an error, and whether the error is in a string.
pub(super) struct Stop {
    at: usize,
    reason: &'static str,
    in_string: bool,
}

impl Stop {
    fn new(at: usize, reason: &'static str) -> Self {
        let in_string = false;
        Self {
            at,
            reason,
            in_string,
        }
    }
}

const INCOMPLETE: &str = "the JSON ends before it is complete";

/// Reads values in a text.
pub(super) struct Scanner<'a> {
    text: &'a [u8],
    /// The number of bytes that were read so far. A byte that is read twice counts twice.
    pub steps: usize,
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str) -> Self {
        Self {
            text: text.as_bytes(),
            steps: 0,
        }
    }

    /// Reads the value that starts at `start`. The text after `end` is not read.
    pub fn value(&mut self, start: usize, end: usize) -> Scanned {
        let mut open = Vec::new();
        match self.read(start, end, &mut open) {
            Ok(end) => Scanned::Complete(end),
            Err(stop) => self.failed(start, end, &open, &stop),
        }
    }

    fn failed(&mut self, start: usize, end: usize, open: &[Open], stop: &Stop) -> Scanned {
        let outermost = open.iter().position(|container| container.is_json);
        if let Some(place) = outermost
            && !self.is_interval(&open[place..], stop)
        {
            return Scanned::Malformed(Malformed {
                start: open[place].start,
                at: stop.at,
                reason: stop.reason,
                resume: self.end_of_malformed(stop, end, open.len() - place),
            });
        }
        // `{name: [1]}` is an invalid object and not prose, so its parts are not candidates.
        let is_object = open
            .last()
            .is_some_and(|innermost| innermost.closer == b'}');
        if outermost.is_none() && is_object && self.is_field_without_quotes(stop.at, end) {
            return Scanned::Prose(self.end_of_malformed(stop, end, open.len()));
        }
        // The search continues after the innermost open bracket. Before this bracket there are only other open brackets,
        // as in `[[[see`. A search from one of them would fail at the same position again.
        Scanned::Prose(open.last().map_or(start, |innermost| innermost.start) + 1)
    }

    /// Returns whether the text counts as a half-open interval such as `[0, 1)`, which is prose and not JSON. It is an
    /// array with at least one element and no container in it, in which `)` is in place of a comma, an element or `]`.
    fn is_interval(&mut self, open: &[Open], stop: &Stop) -> bool {
        let [array] = open else {
            return false;
        };
        let ends_with_it = !stop.in_string && self.text.get(stop.at) == Some(&b')');
        if array.closer != b']' || !ends_with_it {
            return false;
        }
        let elements = &self.text[array.start + 1..stop.at];
        self.steps += elements.len();
        !elements.iter().any(|byte| matches!(byte, b'{' | b'['))
    }

    /// Returns whether the text at `at` is the name of a field without double quotes, and a colon.
    fn is_field_without_quotes(&mut self, at: usize, end: usize) -> bool {
        let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_$-'".contains(byte);
        let length = self.text[at..end].iter().take_while(is_name).count();
        self.steps += length;
        let colon = self.skip_space(at + length, end);
        length > 0 && self.text[..end].get(colon) == Some(&b':')
    }

    /// Returns the end of an invalid value. The search continues there, so that no part of the invalid value is read as
    /// a value. The invalid value ends where its brackets close, or else at the end of a paragraph after which the text
    /// does not continue the value.
    fn end_of_malformed(&mut self, stop: &Stop, end: usize, mut depth: usize) -> usize {
        let (mut at, mut in_string) = (stop.at, stop.in_string);
        while at < end && depth > 0 {
            self.steps += 1;
            match self.text[at] {
                b'\n' => {
                    let next = self.skip_space(at + 1, end);
                    let is_paragraph = self.text[at + 1..next].contains(&b'\n');
                    let continued = match is_paragraph {
                        true => self.continuation(next, end),
                        false => Some(next),
                    };
                    let Some(next) = continued else {
                        return at;
                    };
                    // A JSON string has no line breaks. If a string is still open at the end of a line, its closing
                    // quote is missing, so the next line is not read as part of the string.
                    in_string = false;
                    at = next;
                    continue;
                }
                b'\\' if in_string => at += 1,
                b'"' => in_string = !in_string,
                b'{' | b'[' if !in_string => depth += 1,
                b'}' | b']' if !in_string => depth -= 1,
                _ => {}
            }
            at += 1;
        }
        at.min(end)
    }

    /// Returns the position at which an object or array continues if the text at `at`, after an empty line, continues
    /// it. Such a text starts with a comma, a closing bracket, a field name and a colon, or a value before a comma or a
    /// closing bracket. Such a value is skipped, so that no byte is read again and again.
    fn continuation(&mut self, at: usize, end: usize) -> Option<usize> {
        let is_next = |byte: Option<&u8>| matches!(byte, Some(b',' | b'}' | b']'));
        if is_next(self.text[..end].get(at)) {
            return Some(at);
        }
        if self.text[..end].get(at) == Some(&b'"') && self.name(at, end).is_ok() {
            return Some(at);
        }
        let value_end = self.read(at, end, &mut Vec::new()).ok()?;
        let after = self.skip_space(value_end, end);
        is_next(self.text[..end].get(after)).then_some(value_end)
    }

    /// Returns the position of the first byte, from `at`, that is not white space, or `end` if there is none.
    pub fn skip_space(&mut self, mut at: usize, end: usize) -> usize {
        while at < end && matches!(self.text[at], b' ' | b'\t' | b'\n' | b'\r') {
            self.steps += 1;
            at += 1;
        }
        at
    }

    /// Reads a value and returns its end. After an error, `open` contains the containers that are not closed.
    fn read(&mut self, start: usize, end: usize, open: &mut Vec<Open>) -> Result<usize, Stop> {
        let mut at = start;
        loop {
            at = self.start_of_value(at, end, open)?;
            // A value was read. This loop closes the containers that end after this value, until a comma shows that
            // another value follows.
            loop {
                let Some(container) = open.last_mut() else {
                    return Ok(at);
                };
                container.is_json = true;
                let closer = container.closer;
                at = self.skip_space(at, end);
                match self.text[..end].get(at) {
                    None => return Err(Stop::new(at, INCOMPLETE)),
                    Some(byte) if *byte == closer => {
                        open.pop();
                        at += 1;
                    }
                    Some(b',') => {
                        let comma = at;
                        at = self.skip_space(at + 1, end);
                        if self.text[..end].get(at) == Some(&closer) {
                            return Err(Stop::new(
                                comma,
                                "a comma must not follow the last element",
                            ));
                        }
                        if closer == b'}' {
                            at = self.name(at, end)?;
                        }
                        break;
                    }
                    Some(_) if closer == b'}' => return Err(Stop::new(at, "expected `,` or `}`")),
                    Some(_) => return Err(Stop::new(at, "expected `,` or `]`")),
                }
            }
        }
    }

    /// Opens containers until a scalar or an empty container is read. For example, in `[{"a": 5`, opens two containers
    /// and reads `5`. Returns the end of that scalar or container.
    fn start_of_value(
        &mut self,
        mut at: usize,
        end: usize,
        open: &mut Vec<Open>,
    ) -> Result<usize, Stop> {
        loop {
            at = self.skip_space(at, end);
            self.steps += 1;
            let start = at;
            let closer = match self.text[..end].get(at) {
                None => return Err(Stop::new(at, INCOMPLETE)),
                Some(b'{') => b'}',
                Some(b'[') => b']',
                Some(_) => return self.scalar(at, end),
            };
            open.push(Open {
                start,
                closer,
                is_json: false,
            });
            at = self.skip_space(at + 1, end);
            if self.text[..end].get(at) == Some(&closer) {
                open.pop();
                return Ok(at + 1);
            }
            if closer == b'}' {
                at = self.name(at, end)?;
                if let Some(object) = open.last_mut() {
                    object.is_json = true;
                }
            }
        }
    }

    /// Reads the name of a field and the colon after the name. Returns the position after the colon.
    fn name(&mut self, at: usize, end: usize) -> Result<usize, Stop> {
        match self.text[..end].get(at) {
            None => return Err(Stop::new(at, INCOMPLETE)),
            Some(b'"') => {}
            Some(_) => return Err(Stop::new(at, "expected a name in double quotes")),
        }
        let at = self.string(at, end)?;
        let at = self.skip_space(at, end);
        match self.text[..end].get(at) {
            Some(b':') => Ok(at + 1),
            None => Err(Stop::new(at, INCOMPLETE)),
            Some(_) => Err(Stop::new(at, "expected `:`")),
        }
    }

    /// Reads a string, a number, `true`, `false` or `null`. Returns its end.
    pub fn scalar(&mut self, at: usize, end: usize) -> Result<usize, Stop> {
        let rest = &self.text[at..end];
        match rest.first() {
            Some(b'"') => return self.string(at, end),
            Some(b'-' | b'0'..=b'9') => return self.number(at, end),
            _ => {}
        }
        for word in ["true", "false", "null"] {
            if rest.starts_with(word.as_bytes()) {
                self.steps += word.len();
                return Ok(at + word.len());
            }
            if !rest.is_empty() && word.as_bytes().starts_with(rest) {
                return Err(Stop::new(end, INCOMPLETE));
            }
        }
        Err(Stop::new(at, "expected a value"))
    }

    fn string(&mut self, start: usize, end: usize) -> Result<usize, Stop> {
        let mut at = start + 1;
        let stop = |at, reason| {
            Err(Stop {
                at,
                reason,
                in_string: true,
            })
        };
        while at < end {
            self.steps += 1;
            match self.text[at] {
                b'"' => return Ok(at + 1),
                b'\\' => {
                    let rest = &self.text[at + 1..end];
                    at += match rest.first() {
                        None => return stop(end, INCOMPLETE),
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
                        Some(b'u') => {
                            let digits = rest[1..].iter().take(4);
                            let digits = digits.take_while(|byte| byte.is_ascii_hexdigit());
                            match digits.count() {
                                4 => 6,
                                n if at + 2 + n == end => return stop(end, INCOMPLETE),
                                _ => return stop(at, "`\\u` needs four hexadecimal digits"),
                            }
                        }
                        Some(_) => return stop(at, "a backslash must be written as `\\\\`"),
                    };
                }
                b'\n' => return stop(at, "a line break in a string must be written as `\\n`"),
                0..=0x1f => return stop(at, "a control character in a string must be escaped"),
                _ => at += 1,
            }
        }
        stop(end, INCOMPLETE)
    }

    fn number(&mut self, start: usize, end: usize) -> Result<usize, Stop> {
        let mut at = start;
        if self.text[at] == b'-' {
            at += 1;
        }
        let whole = self.digits(at, end)?;
        if self.text[at] == b'0' && whole > at + 1 {
            return Err(Stop::new(at, "a number must not start with a zero"));
        }
        at = whole;
        if self.text[..end].get(at) == Some(&b'.') {
            at = self.digits(at + 1, end)?;
        }
        if matches!(self.text[..end].get(at), Some(b'e' | b'E')) {
            at += 1;
            if matches!(self.text[..end].get(at), Some(b'+' | b'-')) {
                at += 1;
            }
            at = self.digits(at, end)?;
        }
        Ok(at)
    }

    /// Reads digits and returns the position after the last digit. Returns an error if there is no digit.
    fn digits(&mut self, start: usize, end: usize) -> Result<usize, Stop> {
        let mut at = start;
        while at < end && self.text[at].is_ascii_digit() {
            self.steps += 1;
            at += 1;
        }
        match at {
            _ if at > start => Ok(at),
            _ if at == end => Err(Stop::new(at, INCOMPLETE)),
            _ => Err(Stop::new(at, "expected a digit")),
        }
    }
}

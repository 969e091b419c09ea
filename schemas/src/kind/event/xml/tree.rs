//! An XML document as a tree, names resolved.
//!
//! Invariants: no document type, hence no entity but the five of XML; depth and number of elements
//! are bounded before they are kept; comments and processing instructions say nothing.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{NamespaceResolver, ResolveResult};
use quick_xml::reader::NsReader;

/// Deepest nesting of one document: an event's own, and the document around it.
const DEPTH_MAX: usize = 48;
/// Most elements and attributes of one document: a capture document of 16 MiB has about 400,000.
const NODES_MAX: usize = 1_000_000;

/// A name with the namespace that it was resolved to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Name {
    /// As written, if any.
    pub prefix: Option<String>,
    /// The namespace, if any.
    pub uri: Option<String>,
    /// The local part.
    pub local: String,
}

/// One element.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Element {
    /// Its name.
    pub name: Name,
    /// Its attributes, without declarations of namespaces.
    pub attributes: Vec<(Name, String)>,
    /// Its children.
    pub children: Vec<Element>,
    /// The text directly in it, trimmed.
    pub text: String,
}

impl Element {
    /// Whether it has this name and no namespace, or one of EPCIS.
    pub(super) fn is(&self, local: &str) -> bool {
        let own = |uri: &str| uri.starts_with("urn:epcglobal:");
        self.name.local == local && self.name.uri.as_deref().is_none_or(own)
    }

    /// The first child of this name.
    pub(super) fn child(&self, local: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.is(local))
    }
}

/// Reads a document. The error says what is wrong, and on which line.
pub(super) fn parse(text: &str) -> Result<Element, String> {
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut builder = Builder { open: Vec::new(), root: None, nodes: 0 };
    loop {
        let event = reader.read_event().map_err(|error| error.to_string());
        let step = event.and_then(|event| builder.take(event, reader.resolver()));
        match step {
            Ok(true) => {}
            Ok(false) => return builder.finish(),
            Err(fault) => {
                let at = (reader.buffer_position() as usize).min(text.len());
                let before = &text.as_bytes()[..at];
                let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
                return Err(format!("{fault} on line {line}"));
            }
        }
    }
}

struct Builder {
    open: Vec<Element>,
    root: Option<Element>,
    nodes: usize,
}

impl Builder {
    /// Takes one event; false at the end of the document.
    fn take(&mut self, event: Event<'_>, names: &NamespaceResolver) -> Result<bool, String> {
        match event {
            Event::Start(start) => self.start(&start, names)?,
            Event::End(_) => self.end(),
            Event::Text(text) => self.text(&text.xml10_content())?,
            Event::CData(text) => self.text(&text.xml10_content())?,
            Event::GeneralRef(reference) => {
                let named = reference.xml10_content();
                let known = quick_xml::escape::resolve_predefined_entity(&named);
                match (reference.resolve_char_ref(), known) {
                    (Ok(Some(c)), _) => self.text(c.encode_utf8(&mut [0; 4]))?,
                    (_, Some(known)) => self.text(known)?,
                    _ => return Err("an entity that XML does not define".to_owned()),
                }
            }
            Event::DocType(_) => return Err("a document type, which is refused".to_owned()),
            Event::Eof => return Ok(false),
            // Empty elements come as two events.
            Event::Empty(_) | Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
        Ok(true)
    }

    fn start(&mut self, start: &BytesStart<'_>, names: &NamespaceResolver) -> Result<(), String> {
        if DEPTH_MAX <= self.open.len() {
            return Err(format!("elements nested deeper than {DEPTH_MAX}"));
        }
        if self.open.is_empty() && self.root.is_some() {
            return Err("a second root element".to_owned());
        }
        self.count()?;
        let prefix = start.name().prefix().map(|prefix| prefix.as_ref().to_owned());
        let (found, local) = names.resolve_element(start.name());
        let mut element = Element {
            name: name(prefix, found, local.as_ref())?,
            attributes: Vec::new(),
            children: Vec::new(),
            text: String::new(),
        };
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| error.to_string())?;
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            self.count()?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            let value = value.map_err(|error| error.to_string())?.into_owned();
            let prefix = attribute.key.prefix().map(|prefix| prefix.as_ref().to_owned());
            let (found, local) = names.resolve_attribute(attribute.key);
            element.attributes.push((name(prefix, found, local.as_ref())?, value));
        }
        self.open.push(element);
        Ok(())
    }

    fn count(&mut self) -> Result<(), String> {
        self.nodes += 1;
        let is_within = self.nodes <= NODES_MAX;
        is_within.then_some(()).ok_or_else(|| format!("more than {NODES_MAX} elements"))
    }

    /// The reader has matched it with its start.
    fn end(&mut self) {
        let Some(mut done) = self.open.pop() else { return };
        let trimmed = done.text.trim().len();
        if trimmed < done.text.len() {
            done.text = done.text.trim().to_owned();
        }
        match self.open.last_mut() {
            Some(parent) => parent.children.push(done),
            None => self.root = Some(done),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), String> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim_matches([' ', '\t', '\r', '\n', '\u{feff}']).is_empty() => {}
            None => return Err("text outside the root element".to_owned()),
        }
        Ok(())
    }

    fn finish(self) -> Result<Element, String> {
        match self.open.last() {
            Some(open) => Err(format!("the document ends inside {:?}", open.name.local)),
            None => self.root.ok_or_else(|| "there is no element".to_owned()),
        }
    }
}

fn name(prefix: Option<String>, found: ResolveResult<'_>, local: &str) -> Result<Name, String> {
    let uri = match found {
        ResolveResult::Bound(namespace) => Some(namespace.as_ref().to_owned()),
        ResolveResult::Unbound => None,
        ResolveResult::Unknown(prefix) => {
            return Err(format!("prefix {prefix:?} without a namespace"));
        }
    };
    Ok(Name { prefix, uri, local: local.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_resolved_and_texts_put_together() {
        let root = parse(
            "<?xml version=\"1.0\"?><!-- c --><a xmlns:x=\"urn:x\" x:k=\"1 &amp; 2\"> t&#65;<b/>\
             <x:c><![CDATA[<>]]></x:c></a>",
        )
        .unwrap();
        assert_eq!(root.name, Name { prefix: None, uri: None, local: "a".to_owned() });
        assert_eq!((root.text.as_str(), root.attributes[0].1.as_str()), ("tA", "1 & 2"));
        let c = &root.children[1];
        assert_eq!((c.name.uri.as_deref(), c.text.as_str()), (Some("urn:x"), "<>"));
    }

    #[test]
    fn what_is_no_plain_document_is_refused_with_its_line() {
        let deep = format!("{}{}", "<a>".repeat(60), "</a>".repeat(60));
        for (text, told) in [
            ("<!DOCTYPE a [<!ENTITY e \"x\">]>\n<a>&e;</a>", "document type"),
            ("<a>\n&e;</a>", "entity that XML does not define on line 2"),
            ("<a>\n<b></a>", "line 2"),
            ("<a>", "ends inside"),
            ("<x:a/>", "without a namespace"),
            ("<a/><a/>", "second root"),
            ("<a/>x", "outside the root"),
            ("<a k='1' k='2'/>", "line 1"),
            ("", "no element"),
            (&deep, "deeper"),
        ] {
            let fault = parse(text).unwrap_err();
            assert!(fault.contains(told), "{text}: {fault}");
        }
    }
}

//! Diagnostics for people, in the manner of rustc.

use super::diagnostic::{Diagnostic, Severity, floor};
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, renderer::DecorStyle};

/// Columns of a rendered line; longer source lines are cut around the place.
const WIDTH: usize = 140;

/// Renders diagnostics against the text that they are about, one after another with an empty line between.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], text: &str, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(WIDTH);
    let mut rendered = String::new();
    for diagnostic in diagnostics {
        rendered.push_str(&one(diagnostic, text, &renderer));
        rendered.push_str("\n\n");
    }
    rendered.truncate(rendered.trim_end_matches('\n').len());
    if !rendered.is_empty() {
        rendered.push('\n');
    }
    rendered
}

fn one(diagnostic: &Diagnostic, text: &str, renderer: &Renderer) -> String {
    let window = window(diagnostic, text);
    let inside = |span: &std::ops::Range<usize>| {
        let start = floor(text, span.start).clamp(window.start, window.end);
        start - window.start..floor(text, span.end).clamp(start, window.end) - window.start
    };
    let first_line = 1 + text[..window.start].bytes().filter(|byte| *byte == b'\n').count();
    let related = diagnostic
        .related
        .iter()
        .map(|related| AnnotationKind::Context.span(inside(&related.span)).label(related.message.as_str()));
    let snippet = Snippet::source(&text[window.clone()])
        .path(diagnostic.file.as_str())
        .line_start(first_line)
        .annotation(AnnotationKind::Primary.span(inside(&diagnostic.span)))
        .annotations(related);
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let group = level.primary_title(diagnostic.message.as_str()).element(snippet);
    let help = diagnostic.hint.as_ref().map(|hint| Level::HELP.message(hint.sentence()));
    renderer.render(&[group.elements(help)])
}

/// The lines from the first to the last place of a diagnostic: the renderer reads its whole source for each.
fn window(diagnostic: &Diagnostic, text: &str) -> std::ops::Range<usize> {
    let spans = || std::iter::once(&diagnostic.span).chain(diagnostic.related.iter().map(|related| &related.span));
    let start = floor(text, spans().map(|span| span.start).min().unwrap_or(0));
    let end = floor(text, spans().map(|span| span.end).max().unwrap_or(0)).max(start);
    let line_start = text[..start].rfind('\n').map_or(0, |feed| feed + 1);
    let line_end = text[end..].find('\n').map_or(text.len(), |feed| end + feed);
    // A carriage return before the line feed belongs to the line's end.
    let line_end = if line_end > end && text[..line_end].ends_with('\r') { line_end - 1 } else { line_end };
    line_start..line_end
}

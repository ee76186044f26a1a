//! The path of a request: the server that it is for, and its variable segments.

/// The URL that a request was sent to.
pub(super) struct Target<'r> {
    /// The URL of the sandbox.
    url: &'r str,
    base: &'static str,
    path: &'r str,
    /// The variable segments of the path and their names.
    segments: Vec<(&'static str, &'r str)>,
}

impl<'r> Target<'r> {
    /// Returns the target if `pattern` is the path below `base`.
    ///
    /// Without a base, `pattern` is the end of the path, because a login URL may have its own path.
    pub(super) fn matching(
        url: &'r str,
        path: &'r str,
        base: &'static str,
        pattern: &'static str,
    ) -> Option<Self> {
        let segments = match base {
            "" => path.ends_with(pattern).then(Vec::new)?,
            base => segments(pattern, path.strip_prefix('/')?.strip_prefix(base)?)?,
        };
        Some(Self {
            url,
            base,
            path,
            segments,
        })
    }

    pub(super) fn segment(&self, name: &str) -> Option<&'r str> {
        let mut segments = self.segments.iter();
        let found = segments.find(|(other, _)| *other == name);
        found.map(|(_, segment)| *segment)
    }

    /// Returns whether the path names `tenant`, or no tenant.
    pub(super) fn is_of_tenant(&self, tenant: &str) -> bool {
        self.segment("tenant").is_none_or(|other| other == tenant)
    }

    /// Fills in a template: `{url}` is the sandbox, `{authority}` its host and port, `{base}` the server below it,
    /// `{token_url}` the URL of the request, and any other name is the path segment with that name.
    pub(super) fn fill(&self, template: &str) -> String {
        let authority = self
            .url
            .split_once("://")
            .map_or(self.url, |(_, rest)| rest);
        let base = base_url(self.url, self.base);
        let token_url = format!("{}{}", self.url, self.path);
        let fixed = [
            ("url", self.url),
            ("authority", authority),
            ("base", &base),
            ("token_url", &token_url),
        ];
        let names = fixed.iter().chain(&self.segments);
        names.fold(template.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        })
    }
}

/// Returns the URL of the server with this base.
pub(super) fn base_url(url: &str, base: &str) -> String {
    match base {
        "" => url.to_owned(),
        base => format!("{url}/{base}"),
    }
}

/// Returns the segments of `path` that are in braces in `pattern`, if the other segments are equal.
fn segments<'p>(pattern: &'static str, path: &'p str) -> Option<Vec<(&'static str, &'p str)>> {
    let mut found = Vec::new();
    let (mut expected, mut segments) = (pattern.split('/'), path.split('/'));
    loop {
        let (expected, segment) = match (expected.next(), segments.next()) {
            (None, None) => return Some(found),
            (expected, segment) => (expected?, segment?),
        };
        let name = expected
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'));
        match name {
            Some(name) if !segment.is_empty() => found.push((name, segment)),
            None if expected == segment => {}
            _ => return None,
        }
    }
}

//! Lets callers in, and signs people in and out.

use std::net::SocketAddr;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse as _, Redirect, Response};

use super::error::{Form, PageError, Refusal};
use super::{App, form_of};
use crate::access::{Caller, Role, SignInError, is_cross_site, set_cookie};

/// What everybody may ask for: whether this server works, and what it takes to sign in.
const OPEN: [&str; 4] = ["/healthz", "/readyz", "/login", "/logout"];
/// The same of files that pages consist of.
const OPEN_UNDER: &str = "/static/";

/// Lets a request through whose caller may make it, with its [`Caller`] among the extensions.
pub(super) async fn authorize(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let form = form_of(request.uri().path());
    if is_cross_site(request.method(), request.headers()) {
        return Refusal::CrossSite.answer(form);
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map(|ConnectInfo(address)| address.ip());
    let path = request.uri().path();
    if OPEN.contains(&path) || path.starts_with(OPEN_UNDER) {
        return next.run(request).await;
    }
    match app.access.caller(request.headers(), peer).await {
        Err(error) => Refusal::Store(error).answer(form),
        Ok(None) if form == Form::Page && request.method().is_safe() => sign_in_first(request.uri()),
        Ok(None) => Refusal::Unknown.answer(form),
        Ok(Some(caller)) => {
            let frame = Frame::new(&caller, path);
            let needed = needed(request.method(), path);
            let mut response = if caller.role < needed {
                Refusal::Role(caller.role, needed).answer(form)
            } else {
                request.extensions_mut().insert(caller);
                next.run(request).await
            };
            // For the page of a refusal.
            response.extensions_mut().insert(frame);
            response
        }
    }
}

/// What is changed here is the caller's own: the handler knows what it takes beyond that.
const OWN: &str = "/searches";

/// The role that a request takes.
fn needed(method: &Method, path: &str) -> Role {
    let below_admin = path.strip_prefix(ADMIN.0);
    if below_admin.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
        Role::Admin
    } else if method.is_safe() || path == OWN {
        Role::Viewer
    } else {
        Role::Triager
    }
}

fn sign_in_first(uri: &Uri) -> Response {
    let wanted = uri.path_and_query().map_or("/", |path| path.as_str());
    let query: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("next", wanted)
        .finish();
    Redirect::to(&format!("/login?{query}")).into_response()
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    name: String,
    next: String,
    problem: String,
    frame: Frame,
}

/// `GET /login`.
pub(super) async fn form(RawQuery(query): RawQuery) -> Result<Html<String>, PageError> {
    let page = LoginPage {
        name: String::new(),
        next: field(query.unwrap_or_default().as_bytes(), "next"),
        problem: String::new(),
        frame: Frame::default(),
    };
    Ok(Html(page.render()?))
}

/// `POST /login`: `name`, `password` and the address to go to then.
pub(super) async fn sign_in(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, PageError> {
    let (name, next) = (field(&body, "name"), field(&body, "next"));
    let error = match app.access.sign_in(&name, &field(&body, "password")).await {
        Ok(cookie) => return Ok(with_cookie(Redirect::to(local(&next)), &cookie, &headers)),
        Err(SignInError::Store(error)) => return Err(error.into()),
        Err(error) => error,
    };
    let page = LoginPage {
        name,
        next,
        problem: error.to_string(),
        frame: Frame::default(),
    };
    let mut response = Html(page.render()?).into_response();
    *response.status_mut() = match error {
        SignInError::Wait(_) => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::FORBIDDEN,
    };
    Ok(response)
}

/// `POST /logout`.
pub(super) async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Result<Response, PageError> {
    app.access.sign_out(&headers).await?;
    Ok(with_cookie(Redirect::to("/login"), "", &headers))
}

/// The places of the navigation: their addresses and names.
const PLACES: [(&str, &str); 10] = [
    ("/", "Overview"),
    ("/faults", "Faults"),
    ("/issues", "Issues"),
    ("/crashes", "Crashes"),
    ("/hosts", "Hosts"),
    ("/hardware", "Hardware"),
    ("/probes", "Probes"),
    ("/builds", "Builds"),
    ("/updates", "Updates"),
    ("/population", "Population"),
];

/// The one that only admins are shown.
const ADMIN: (&str, &str) = ("/admin", "Admin");

/// What the frame of a page says about who looks at it.
#[derive(Debug, Clone, Default)]
pub(super) struct Frame {
    /// Which place of the navigation it is.
    here: Option<&'static str>,
    /// Empty: a stranger.
    pub(super) name: String,
    pub(super) may_sign_in: bool,
    pub(super) is_admin: bool,
}

/// A link of the navigation.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) href: &'static str,
    pub(super) name: &'static str,
    /// Whether this page is there.
    pub(super) here: bool,
}

impl Frame {
    /// Of a page at this path: the place of the navigation is its first part.
    pub(super) fn new(caller: &Caller, path: &str) -> Self {
        let place = path.split('/').nth(1).unwrap_or_default();
        let mut all = PLACES.into_iter().chain([ADMIN]);
        Self {
            here: all.find_map(|(href, _)| (href.strip_prefix('/') == Some(place)).then_some(href)),
            name: caller.name.clone().unwrap_or_default(),
            is_admin: caller.role == Role::Admin,
            may_sign_in: caller.name.is_none() && caller.role < Role::Admin,
        }
    }

    /// The place of the navigation that the page is below; None: it is not below any that is shown.
    pub(super) fn place(&self) -> Option<Place> {
        self.places().find(|place| place.here)
    }

    /// The links of the navigation.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        let all = PLACES.into_iter().chain(self.is_admin.then_some(ADMIN));
        all.map(|(href, name)| Place {
            href,
            name,
            here: Some(href) == self.here,
        })
    }
}

fn with_cookie(redirect: Redirect, value: &str, headers: &HeaderMap) -> Response {
    let mut response = redirect.into_response();
    // Invariant: a cookie is made of hexadecimal digits and fixed text.
    if let Ok(cookie) = HeaderValue::from_str(&set_cookie(value, headers)) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

fn field(body: &[u8], name: &str) -> String {
    form_urlencoded::parse(body)
        .find_map(|(key, value)| (key == name).then(|| value.into_owned()))
        .unwrap_or_default()
}

/// An address of this server; the list for anything else, so that nobody is led away by `next`.
fn local(next: &str) -> &str {
    let leads_away = next.starts_with("//") || next.contains(['\\', '\r', '\n', '\t']);
    if next.starts_with('/') && !leads_away {
        next
    } else {
        "/"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_at_the_place_that_its_address_begins_with() {
        let caller = Caller {
            name: None,
            role: Role::Viewer,
        };
        let here = |path| {
            let frame = Frame::new(&caller, path);
            let here: Vec<_> = frame.places().filter(|place| place.here).collect();
            here.iter().map(|place| place.href).collect::<Vec<_>>()
        };
        assert_eq!(here("/"), ["/"]);
        assert_eq!(here("/faults/1/stack"), ["/faults"]);
        assert_eq!(here("/issues"), ["/issues"]);
        assert!(here("/admin").is_empty(), "viewers are not shown it");
        assert!(here("/faultss").is_empty());
    }

    #[test]
    fn administration_is_for_admins_at_every_address_below_it() {
        for path in ["/admin", "/admin/", "/admin/tokens"] {
            assert_eq!(needed(&Method::GET, path), Role::Admin, "{path}");
            assert_eq!(needed(&Method::POST, path), Role::Admin, "{path}");
        }
        assert_eq!(needed(&Method::GET, "/administration"), Role::Viewer);
    }

    #[test]
    fn nobody_is_led_to_another_server() {
        assert_eq!(local("/faults/1?a=b"), "/faults/1?a=b");
        for away in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/\t/evil.example",
        ] {
            assert_eq!(local(away), "/");
        }
    }
}

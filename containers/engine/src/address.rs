//! Requests at another address than the client library's, where an engine wants one that the library cannot ask for.

use bollard::Docker;

/// The same connection, with path and query of each request changed. What comes out as no address is left as it was.
pub(crate) fn readdressed(docker: Docker, change: impl Fn(&str) -> String + Send + Sync + 'static) -> Docker {
    docker.with_request_modifier(move |mut request| {
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = parts.path_and_query.and_then(|place| change(place.as_str()).parse().ok());
        if let Ok(uri) = parts.try_into() {
            *request.uri_mut() = uri;
        }
        request
    })
}

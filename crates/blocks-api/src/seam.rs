//! The one place that every request passes: it adds the key and takes off what
//! the service does not know.

use std::fmt;

use progenitor_client::{ClientHooks, OperationInfo};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde::de::DeserializeOwned;

use crate::{Client, ClientInfo, Error, ResponseValue};

/// What a [`Client`] carries beside its base URL: the key, out of sight.
#[derive(Clone)]
pub struct Seam {
    authorization: HeaderValue,
}

impl Seam {
    /// A seam that authenticates with `key`, or `None` where a header cannot carry it.
    pub fn new(key: &str) -> Option<Self> {
        let mut authorization = HeaderValue::from_str(&format!("ApiKey {key}")).ok()?;
        authorization.set_sensitive(true);
        Some(Self { authorization })
    }
}

impl fmt::Debug for Seam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seam { key: <redacted> }")
    }
}

impl ClientHooks<Seam> for Client {
    async fn pre<E>(
        &self,
        request: &mut reqwest::Request,
        _: &OperationInfo,
    ) -> Result<(), Error<E>> {
        let base = reqwest::Url::parse(self.baseurl())
            .map_err(|e| Error::InvalidRequest(format!("base URL: {e}")))?;
        if request.url().origin() != base.origin() {
            return Err(Error::InvalidRequest(
                "the request leaves the base URL".into(),
            ));
        }
        let headers = request.headers_mut();
        headers.remove("api-version");
        headers.insert(AUTHORIZATION, self.inner().authorization.clone());
        Ok(())
    }
}

/// Reads `url` as one page or object, through the same hooks as a generated method.
/// `operation_id` says what the link leads to.
pub async fn follow<T: DeserializeOwned>(
    client: &Client,
    operation_id: &'static str,
    url: reqwest::Url,
) -> Result<ResponseValue<T>, Error<()>> {
    let info = OperationInfo { operation_id };
    let mut request = client.client().get(url).build()?;
    client.pre(&mut request, &info).await?;
    let result = client.exec(request, &info).await;
    client.post(&result, &info).await?;
    let response = result?;
    if response.status().is_success() {
        ResponseValue::from_response(response).await
    } else {
        Err(Error::UnexpectedResponse(response))
    }
}

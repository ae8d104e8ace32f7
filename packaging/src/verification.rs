//! Telling a failed verification (exit code 3) from any other failure.

use std::error::Error;

use crate::debian::DebianError;
use crate::download::DownloadError;
use crate::rebuild::RebuildError;
use crate::repository::RepositoryError;
use crate::source::SourceError;
use crate::store::StoreError;
use crate::verify::VerifyError;

/// Whether an error, or one that caused it, is a failed verification: something was received, and
/// its digest, its commit or its signature is not the one that was pinned.
pub fn is_verification_failure(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let failed = error.downcast_ref::<StoreError>().is_some_and(StoreError::is_verification)
            || error.downcast_ref::<DownloadError>().is_some_and(DownloadError::is_verification)
            || error.downcast_ref::<DebianError>().is_some_and(DebianError::is_verification)
            || error.downcast_ref::<SourceError>().is_some_and(SourceError::is_verification)
            || error.downcast_ref::<RebuildError>().is_some_and(RebuildError::is_verification)
            || error.downcast_ref::<RepositoryError>().is_some_and(RepositoryError::is_verification)
            || error.downcast_ref::<VerifyError>().is_some_and(VerifyError::is_verification);
        if failed {
            return true;
        }
        next = error.source();
    }
    false
}

//! The adapter without its feature.

use tower_fc::adapters::axum::original_uri;

fn main() {
    let _ = original_uri;
}

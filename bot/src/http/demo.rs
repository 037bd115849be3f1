//! The demo shop: a page that shows the widget in use, where anybody may sign in as a demo
//! customer. Served only where `demo.enabled` says so.

use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use crm::CustomerId;
use serde::{Deserialize, Serialize};

use super::asset;
use super::error::ApiError;
use crate::app::App;
use crate::auth;
use crate::currency::Currency;

/// Shown on the page.
const MOST_PRODUCTS: u32 = 60;
const MOST_CUSTOMERS: u32 = 8;
/// A demo token's life.
const TOKEN_LIFE: Duration = Duration::from_secs(12 * 3600);

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/", get(|headers: HeaderMap| page(headers)))
        .route("/demo/shop.json", get(shop))
        .route("/demo/token", post(token))
}

async fn page(headers: HeaderMap) -> Response {
    asset("index.html".into(), headers).await
}

#[derive(Debug, Serialize)]
struct Shop {
    name: String,
    tagline: String,
    products: Vec<Product>,
    customers: Vec<Customer>,
}

#[derive(Debug, Serialize)]
struct Product {
    id: String,
    name: String,
    category: String,
    price: String,
    description: String,
}

#[derive(Debug, Serialize)]
struct Customer {
    id: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct TokenRequest {
    customer: CustomerId,
}

#[derive(Debug, Serialize)]
struct TokenResponse {
    token: String,
}

async fn shop(State(app): State<App>) -> Result<Json<Shop>, ApiError> {
    let store = &app.store;
    let company = &app.config.company;
    let products = store.list_products(None, MOST_PRODUCTS).await?;
    let customers = store.list_customers(None, MOST_CUSTOMERS).await?;
    Ok(Json(Shop {
        name: company.name.clone(),
        tagline: company.tagline.clone(),
        products: products
            .into_iter()
            .map(|p| product(p, &company.currency))
            .collect(),
        customers: customers
            .into_iter()
            .map(|customer| Customer {
                name: customer.name.unwrap_or_else(|| customer.id.to_string()),
                id: customer.id.0,
            })
            .collect(),
    }))
}

fn product(product: crm::Product, currency: &Currency) -> Product {
    let lowest = product
        .variants
        .iter()
        .map(|variant| variant.price)
        .min()
        .unwrap_or_default();
    Product {
        id: product.id.0,
        name: product.name,
        category: product.category.unwrap_or_default(),
        price: currency.format(lowest),
        description: product.description.unwrap_or_default(),
    }
}

async fn token(
    State(app): State<App>,
    Json(request): Json<TokenRequest>,
) -> Result<Json<TokenResponse>, ApiError> {
    let known = app.store.find_customer(&request.customer).await?;
    let customer = known.ok_or(ApiError::UnknownCustomer)?;
    let secret = app
        .config
        .auth
        .secret
        .as_ref()
        .ok_or(auth::TokenError::NoSecret)?;
    Ok(Json(TokenResponse {
        token: auth::sign(secret, customer.id.as_str(), TOKEN_LIFE)?,
    }))
}

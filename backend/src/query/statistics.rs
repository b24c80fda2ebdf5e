//! The gRPC service of the analysis.

mod asked;
mod told;

use proto::v1::{
    CompareRequest, CompareResponse, GetSurvivalRequest, ListDaysRequest, ListDaysResponse,
    ListEscalationsRequest, ListEscalationsResponse, ListOutliersRequest, ListOutliersResponse,
    ListPopulationRequest, ListPopulationResponse, ListRatesByClassRequest, ListRatesRequest,
    ListRatesResponse, ListUnusualRequest, ListUnusualResponse, ListUpdatesRequest, ListUpdatesResponse,
    Survival,
    statistics_server::{Statistics, StatisticsServer},
};
use tonic::{Request, Response, Status};

use self::asked::{dimension, issue, name, or, population_by, watch};
use self::told::all;
use super::MESSAGE_BYTES;
use crate::{
    analysis::{self, AnalysisError, usual, usual::days},
    collector::store_status,
    store::Store,
};

/// The service.
#[derive(Clone, Debug)]
pub struct StatisticsService {
    store: Store,
}

impl StatisticsService {
    /// On what is stored there.
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

#[tonic::async_trait]
impl Statistics for StatisticsService {
    async fn compare(&self, request: Request<CompareRequest>) -> Result<Response<CompareResponse>, Status> {
        let request = request.into_inner();
        let asked = analysis::Asked {
            by: dimension(request.by)?,
            max_ratio: or(request.max_ratio, usual::MAX_RATIO),
            confidence: or(request.confidence, usual::CONFIDENCE),
            watch: watch(request.days, request.min_severity, &request.class)?,
            from: name("from", request.from)?,
            to: name("to", request.to)?,
        };
        let found = analysis::compare(&self.store, &asked).await;
        Ok(Response::new(found.map_err(status)?.into()))
    }

    async fn list_rates(
        &self,
        request: Request<ListRatesRequest>,
    ) -> Result<Response<ListRatesResponse>, Status> {
        let request = request.into_inner();
        let (by, confidence) = (dimension(request.by)?, or(request.confidence, usual::CONFIDENCE));
        let watch = watch(request.days, request.min_severity, &request.class)?;
        let found = analysis::rates(&self.store, by, &watch, confidence).await;
        Ok(Response::new(ListRatesResponse {
            rates: all(found.map_err(status)?),
            confidence,
        }))
    }

    async fn list_rates_by_class(
        &self,
        request: Request<ListRatesByClassRequest>,
    ) -> Result<Response<ListRatesResponse>, Status> {
        let request = request.into_inner();
        let confidence = or(request.confidence, usual::CONFIDENCE);
        let watch = watch(request.days, request.min_severity, &request.class)?;
        let found = analysis::rates_by_class(&self.store, &watch, confidence).await;
        Ok(Response::new(ListRatesResponse {
            rates: all(found.map_err(status)?),
            confidence,
        }))
    }

    async fn list_days(
        &self,
        request: Request<ListDaysRequest>,
    ) -> Result<Response<ListDaysResponse>, Status> {
        let request = request.into_inner();
        let confidence = or(request.confidence, usual::CONFIDENCE);
        let watch = watch(request.days, request.min_severity, &request.class)?;
        let found = analysis::fleet_days(&self.store, &watch, confidence).await;
        Ok(Response::new(ListDaysResponse {
            days: all(found.map_err(status)?),
            confidence,
        }))
    }

    async fn list_population(
        &self,
        request: Request<ListPopulationRequest>,
    ) -> Result<Response<ListPopulationResponse>, Status> {
        let request = request.into_inner();
        let by = population_by(request.by)?;
        let found = self.store.population(by, days(request.days)).await;
        Ok(Response::new(ListPopulationResponse {
            population: all(found.map_err(|error| store_status(&error))?),
        }))
    }

    async fn list_updates(
        &self,
        request: Request<ListUpdatesRequest>,
    ) -> Result<Response<ListUpdatesResponse>, Status> {
        let found = self.store.update_matrix(days(request.into_inner().days)).await;
        Ok(Response::new(ListUpdatesResponse {
            updates: all(found.map_err(|error| store_status(&error))?),
        }))
    }

    async fn list_escalations(
        &self,
        request: Request<ListEscalationsRequest>,
    ) -> Result<Response<ListEscalationsResponse>, Status> {
        let request = request.into_inner();
        let false_part = or(request.false_part, usual::FALSE_PART);
        let watch = watch(request.days, request.min_severity, &request.class)?;
        let found = analysis::escalations(&self.store, &watch, false_part).await;
        Ok(Response::new(ListEscalationsResponse {
            escalations: all(found.map_err(status)?),
            false_part,
        }))
    }

    async fn get_survival(&self, request: Request<GetSurvivalRequest>) -> Result<Response<Survival>, Status> {
        let request = request.into_inner();
        let (by, confidence) = (dimension(request.by)?, or(request.confidence, usual::CONFIDENCE));
        let watch = watch(request.days, request.min_severity, &request.class)?;
        let of = name("of", request.of)?;
        let found = analysis::survival(&self.store, by, &of, &watch, confidence).await;
        Ok(Response::new(found.map_err(status)?.into()))
    }

    async fn list_outliers(
        &self,
        request: Request<ListOutliersRequest>,
    ) -> Result<Response<ListOutliersResponse>, Status> {
        let request = request.into_inner();
        let ratio = or(request.ratio, usual::RATIO);
        let confidence = or(request.confidence, usual::CONFIDENCE);
        let watch = watch(request.days, request.min_severity, &request.class)?;
        let found = analysis::outliers(&self.store, &watch, ratio, confidence).await;
        Ok(Response::new(found.map_err(status)?.into()))
    }

    async fn list_unusual(
        &self,
        request: Request<ListUnusualRequest>,
    ) -> Result<Response<ListUnusualResponse>, Status> {
        let request = request.into_inner();
        let issue = issue(&request.issue)?;
        let false_part = or(request.false_part, usual::FALSE_PART_ASKED);
        let found = analysis::unusual(&self.store, issue, days(request.days), false_part).await;
        Ok(Response::new(found.map_err(status)?.into()))
    }
}

fn status(error: AnalysisError) -> Status {
    match error {
        AnalysisError::Store(error) => store_status(&error),
        AnalysisError::Invalid(_) | AnalysisError::Asked(_) => Status::invalid_argument(error.to_string()),
        AnalysisError::Stopped(_) => Status::internal(error.to_string()),
    }
}

/// The service with its limits.
pub fn server(service: StatisticsService) -> StatisticsServer<StatisticsService> {
    StatisticsServer::new(service).max_decoding_message_size(MESSAGE_BYTES)
}

package dashboard

import (
	"encoding/json"
	"net/http"
)

// routes mounts the parts of one process under one address.
func routes(live, collector, alerting, brokerView, ui http.Handler) http.Handler {
	if collector == nil {
		collector = refuse(http.StatusServiceUnavailable, "no collector is configured: start the dashboard with --collector URL")
	}
	if alerting == nil {
		alerting = refuse(http.StatusServiceUnavailable, "no alerting is configured: start the dashboard with --alerting URL")
	}
	mux := http.NewServeMux()
	mux.Handle("GET /api/live", live)
	mux.Handle("/api/hosts", collector)
	mux.Handle("/api/hosts/", collector)
	mux.Handle("/api/templates", collector)
	mux.Handle("/api/templates/", collector)
	mux.Handle("/api/v1/", collector)
	mux.Handle("/api/v1/rules", alerting)
	mux.Handle("/api/v1/alerts", alerting)
	mux.Handle("/api/alerts", alerting)
	mux.Handle("/api/alerts/", alerting)
	mux.Handle("/api/v2/", alerting)
	mux.Handle(brokerPath, brokerView)
	mux.Handle("/federate", collector)
	mux.Handle("/write", collector)        // Influx
	mux.Handle("/api/v2/write", collector) // Influx
	mux.Handle("/metrics/job/", collector) // Pushgateway
	mux.Handle("/metrics/job@base64/", collector)
	mux.Handle("/api/", refuse(http.StatusNotFound, "no such API"))
	mux.Handle("/", ui)
	return mux
}

// refuse answers as the Prometheus API answers an error.
func refuse(code int, reason string) http.Handler {
	kind := "unavailable"
	if code == http.StatusNotFound {
		kind = "not_found"
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(map[string]string{"status": "error", "errorType": kind, "error": reason})
	})
}

// Package promapi serves the Prometheus HTTP API v1 with Prometheus's own code.
// It is the one place that knows the forty arguments of that code, which change
// with its releases.
package promapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/grafana/regexp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/features"
	"github.com/prometheus/prometheus/util/notifications"
	v1 "github.com/prometheus/prometheus/web/api/v1"
)

// Compatible is the version of Prometheus whose API this is. Clients such as
// Grafana read it from status/buildinfo to know what they may ask.
const Compatible = "3.15.0"

// Limits of remote read, as in Prometheus.
const (
	readSamples     = 50_000_000
	readConcurrency = 10
	readFrame       = 1 << 20 // bytes
)

// Storage is what the API reads.
type Storage interface {
	storage.SampleAndChunkQueryable
	storage.ExemplarQueryable
	v1.TSDBAdminStats
	Dir() string
}

// Deps are what the API stands on.
type Deps struct {
	Storage    Storage
	Engine     promql.QueryEngine
	Parser     parser.Parser
	Metadata   scrape.MetricMetadataStore
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Gatherer   prometheus.Gatherer // for status/self_metrics
	Admin      bool                // serve admin/tsdb
}

// New returns the handler of the paths below /api/v1. Rules and alerts are
// empty here: they are alerting's.
func New(d *Deps) http.Handler {
	started := time.Now()
	fixed := config.DefaultConfig
	target := metadataTarget(d.Metadata)
	api := v1.NewAPI(
		d.Engine, d.Storage, nil, nil, d.Storage,
		func(context.Context) v1.ScrapePoolsRetriever { return target },
		func(context.Context) v1.TargetRetriever { return target },
		func(context.Context) v1.AlertmanagerRetriever { return noAlertmanagers{} },
		func() config.Config { return fixed },
		map[string]string{}, // flags
		v1.GlobalURLOptions{},
		func(f http.HandlerFunc) http.HandlerFunc { return f }, // always ready
		d.Storage, d.Storage.Dir(),
		d.Admin,
		false, 0, // search
		d.Logger,
		func(context.Context) v1.RulesRetriever { return noRules{} },
		readSamples, readConcurrency, readFrame,
		false,                    // not an agent
		regexp.MustCompile("^$"), // no other origin
		func() (v1.RuntimeInfo, error) { return runtimeInfo(started), nil },
		buildInfo(),
		func() []notifications.Notification { return nil },
		func() (<-chan notifications.Notification, func(), bool) { return nil, func() {}, false },
		d.Gatherer, d.Registerer,
		nil,        // statistics as Prometheus renders them
		false, nil, // remote write
		false, false, false, false, // OTLP
		0, false, false, // of OTLP and remote write
		nil, // error codes as they are
		capabilities(d.Admin), v1.OpenAPIOptions{}, d.Parser,
	)
	r := route.New()
	api.Register(r)
	return http.StripPrefix("/api/v1", r)
}

// capabilities is what /features answers.
func capabilities(admin bool) features.Collector {
	c := features.NewRegistry()
	for _, name := range []string{
		"label_values_match", "query_warnings", "query_stats", "time_range_series", "time_range_labels",
		"openapi_3.1", "openapi_3.2", "remote_write_receiver", "otlp_write_receiver",
	} {
		c.Enable(features.API, name)
	}
	c.Set(features.API, "admin", admin)
	c.Disable(features.API, "lifecycle")
	c.Disable(features.API, "search")
	return c
}

func runtimeInfo(started time.Time) v1.RuntimeInfo {
	return v1.RuntimeInfo{
		StartTime:           started,
		ServerTime:          time.Now(),
		LastConfigTime:      started,
		ReloadConfigSuccess: true,
		GoroutineCount:      runtime.NumGoroutine(),
		GOMAXPROCS:          runtime.GOMAXPROCS(0),
		GOMEMLIMIT:          debug.SetMemoryLimit(-1),
	}
}

func buildInfo() *v1.PrometheusVersion {
	return &v1.PrometheusVersion{Version: Compatible, GoVersion: runtime.Version()}
}

type noRules struct{}

func (noRules) RuleGroups() []*rules.Group           { return nil }
func (noRules) AlertingRules() []*rules.AlertingRule { return nil }

type noAlertmanagers struct{}

func (noAlertmanagers) Alertmanagers() []*url.URL        { return nil }
func (noAlertmanagers) DroppedAlertmanagers() []*url.URL { return nil }

// pool is the name under which the bus appears where Prometheus has scrape pools.
const pool = "bus"

// bus stands where Prometheus has its targets: metrics arrive as messages, all
// of them from one place.
type bus struct{ target *scrape.Target }

func metadataTarget(m scrape.MetricMetadataStore) bus {
	t := scrape.NewTarget(labels.FromStrings("__scheme__", "amqp", "__address__", pool+":5672", "job", pool), &config.ScrapeConfig{}, nil, nil)
	t.SetMetadataStore(m)
	t.Report(time.Now(), 0, nil)
	return bus{t}
}

func (bus) ScrapePools() []string { return []string{pool} }

func (b bus) TargetsActive() map[string][]*scrape.Target {
	return map[string][]*scrape.Target{pool: {b.target}}
}

func (bus) TargetsDropped() map[string][]*scrape.Target { return nil }

func (bus) TargetsDroppedCounts() map[string]int { return nil }

func (bus) ScrapePoolConfig(string) (*config.ScrapeConfig, error) {
	return nil, errors.New("nothing is scraped here")
}

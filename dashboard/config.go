package dashboard

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"thump/internal/bus"
)

// Config bounds what the dashboard keeps and whom it serves.
type Config struct {
	// Collector and Alerting are the URLs of the processes that answer their
	// APIs, for a dashboard on its own: whoever composes the process makes the
	// handlers of Deps of them. In one process with both they are not used.
	Collector string `yaml:"collector" flag:"collector" usage:"URL of the collector, for a dashboard on its own"`
	Alerting  string `yaml:"alerting" flag:"alerting" usage:"URL of alerting, for a dashboard on its own"`
	// ManagementURL is the management API of the broker, thump's or RabbitMQ's,
	// with the user that the page of the broker looks through; in one process
	// with the broker it is that broker's. Empty: the page says that it is missing.
	ManagementURL string `yaml:"management_url" flag:"management-url" usage:"URL of the broker's management API with user and password, for the page of the broker"`
	// MaxBrowsers is how many browsers may follow the stream at the same time;
	// a further one is refused with 503. Default 200.
	MaxBrowsers int `yaml:"max_browsers" flag:"dashboard-max-browsers" usage:"browsers that may follow the live stream at the same time"`
	// BrowserQueue is how many events wait for one browser; when it is full the
	// oldest is dropped and the browser gets a new snapshot. Default 64.
	BrowserQueue int `yaml:"browser_queue" flag:"dashboard-browser-queue" usage:"events that wait for a slow browser before the oldest is dropped"`
	// MaxHosts is how many hosts are kept; beyond it the one silent for longest
	// makes room, or the new one is not shown. Default 20,000.
	MaxHosts int `yaml:"max_hosts" flag:"dashboard-max-hosts" usage:"hosts whose latest values are kept in memory"`
	// MaxSeries is how many series of one host are kept; further ones are not
	// shown. Default 5,000.
	MaxSeries int `yaml:"max_series" flag:"dashboard-max-series" usage:"series of one host whose latest values are kept in memory"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{MaxBrowsers: 200, BrowserQueue: 64, MaxHosts: 20_000, MaxSeries: 5_000}
}

func (c *Config) validate() error {
	if c.MaxBrowsers < 1 || c.BrowserQueue < 1 || c.MaxHosts < 1 || c.MaxSeries < 1 {
		return errors.New("dashboard: max_browsers, browser_queue, max_hosts and max_series must be at least 1")
	}
	return nil
}

// Deps is what the dashboard needs from its surroundings.
type Deps struct {
	Bus bus.Bus
	// Collector answers /api/v1/ and /api/hosts; nil answers them with 503.
	Collector http.Handler
	// Alerting answers /api/v2/, /api/v1/rules and /api/v1/alerts; nil answers
	// them with 503.
	Alerting   http.Handler
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

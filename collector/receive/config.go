package receive

import (
	"errors"
	"time"

	"thump/internal/config"
)

// Config is what the user may say about the ways in.
type Config struct {
	// MaxBody bounds the body of a request as it is sent. Default 16MiB; what it
	// decompresses to may have 32 MiB.
	MaxBody config.Bytes `yaml:"max_body" flag:"receive-max-body" usage:"largest body of a request that brings metrics"`
	// Concurrency bounds the requests read at the same time; further ones wait for
	// up to ten seconds and are then told to come again. Default 16.
	Concurrency int `yaml:"concurrency" flag:"receive-concurrency" usage:"requests with metrics that are read at the same time"`
	// PushInterval is how often the metrics pushed under /metrics/job/ are published
	// again, as if they were scraped. Default 15s.
	PushInterval config.Duration `yaml:"push_interval" flag:"push-interval" usage:"how often metrics pushed as to a Pushgateway are published again"`
	// PushSeries bounds the series kept for it. Default 100,000.
	PushSeries int `yaml:"push_series" flag:"push-series" usage:"series kept of metrics pushed as to a Pushgateway"`
	// Fleets makes the exchange telegraf and the queues thump.telegraf and
	// otlp_metrics, and consumes them. Default true.
	Fleets bool `yaml:"fleets" flag:"fleets" usage:"consume what Telegraf and OpenTelemetry collectors publish"`
}

// DefaultConfig is the configuration of someone who says nothing.
func DefaultConfig() Config {
	return Config{
		MaxBody: 16 << 20, Concurrency: 16, PushInterval: config.Duration(15 * time.Second), PushSeries: 100_000, Fleets: true,
	}
}

// Validate says what is wrong with the configuration.
func (c *Config) Validate() error {
	switch {
	case c.MaxBody < 1:
		return errors.New("receive-max-body must be more than 0")
	case c.Concurrency < 1:
		return errors.New("receive-concurrency must be at least 1")
	case c.PushInterval.D() < time.Second:
		return errors.New("push-interval must be at least 1s")
	case c.PushSeries < 0:
		return errors.New("push-series must not be less than 0")
	}
	return nil
}

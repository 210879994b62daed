package history

import (
	"errors"
	"time"

	"thump/internal/config"
)

// Config is what the user may say about history.
type Config struct {
	// Retention is how long samples are kept; default 15 days.
	Retention config.Duration `yaml:"retention" flag:"history-retention" usage:"how long samples are kept"`
	// RetentionSize is how many bytes the blocks may take; the oldest go first. 0,
	// the default, sets no limit. The log of the last hours comes on top.
	RetentionSize config.Bytes `yaml:"retention_size" flag:"history-retention-size" usage:"size that the blocks of samples may take, 0 for no limit"`
	// OutOfOrderWindow is how much older than the newest sample of all another may
	// be; default 24 hours.
	OutOfOrderWindow config.Duration `yaml:"out_of_order_window" flag:"history-out-of-order" usage:"how late a sample may come"`
	// MinFree is the free space of the disk below which no more samples are taken:
	// they wait in the broker. Default 256 MiB.
	MinFree config.Bytes `yaml:"min_free" flag:"history-min-free" usage:"free disk space below which samples wait in the broker"`
	// QueryTimeout bounds one query; default 2 minutes.
	QueryTimeout config.Duration `yaml:"query_timeout" flag:"query-timeout" usage:"time that one query may take"`
	// QuerySamples is how many samples one query may hold in memory at a time;
	// default 50 million, of 16 bytes.
	QuerySamples int `yaml:"query_samples" flag:"query-samples" usage:"samples that one query may hold in memory"`
	// QueryConcurrency is how many queries run at a time; others wait. Default 20.
	QueryConcurrency int `yaml:"query_concurrency" flag:"query-concurrency" usage:"queries that run at a time"`
}

// DefaultConfig is the configuration of someone who says nothing.
func DefaultConfig() Config {
	const day = 24 * time.Hour
	return Config{
		Retention:        config.Duration(15 * day),
		OutOfOrderWindow: config.Duration(day),
		MinFree:          256 << 20,
		QueryTimeout:     config.Duration(2 * time.Minute),
		QuerySamples:     50_000_000,
		QueryConcurrency: 20,
	}
}

// Validate says what is wrong with the configuration.
func (c *Config) Validate() error {
	switch {
	case c.Retention <= 0:
		return errors.New("retention is not positive")
	case c.RetentionSize < 0 || c.MinFree < 0:
		return errors.New("a size is negative")
	case c.OutOfOrderWindow < 0:
		return errors.New("out_of_order_window is negative")
	case c.QueryTimeout <= 0 || c.QuerySamples <= 0 || c.QueryConcurrency <= 0:
		return errors.New("a query limit is not positive")
	}
	return nil
}

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
	// Retention5m and Retention1h are how long roll-ups of five minutes and of an
	// hour are kept; defaults 90 days and 3 years. 0 makes none; hours are made of
	// five minutes.
	Retention5m config.Duration `yaml:"retention_5m" flag:"history-retention-5m" usage:"how long roll-ups of 5 minutes are kept, 0 for none"`
	Retention1h config.Duration `yaml:"retention_1h" flag:"history-retention-1h" usage:"how long roll-ups of an hour are kept, 0 for none"`
	// RetentionSize5m and RetentionSize1h are how many bytes they may take; the
	// oldest go first. 0, the default, sets no limit.
	RetentionSize5m config.Bytes `yaml:"retention_size_5m" flag:"history-retention-size-5m" usage:"size that roll-ups of 5 minutes may take, 0 for no limit"`
	RetentionSize1h config.Bytes `yaml:"retention_size_1h" flag:"history-retention-size-1h" usage:"size that roll-ups of an hour may take, 0 for no limit"`
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
	// QueryFeatures are features of PromQL that are off otherwise, by the names that
	// they have in Prometheus's --enable-feature. None by default.
	QueryFeatures []string `yaml:"query_features" flag:"query-features" usage:"features of PromQL, by Prometheus's names for them"`
}

// DefaultConfig is the configuration of someone who says nothing.
func DefaultConfig() Config {
	const day = 24 * time.Hour
	return Config{
		Retention:        config.Duration(15 * day),
		Retention5m:      config.Duration(90 * day),
		Retention1h:      config.Duration(3 * 365 * day),
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
	case c.Retention5m < 0 || c.Retention1h < 0:
		return errors.New("retention of roll-ups is negative")
	case c.Retention1h > 0 && c.Retention5m == 0:
		return errors.New("retention_1h without retention_5m: roll-ups of an hour are made of those of 5 minutes")
	case c.RetentionSize < 0 || c.RetentionSize5m < 0 || c.RetentionSize1h < 0 || c.MinFree < 0:
		return errors.New("a size is negative")
	case c.OutOfOrderWindow < 0:
		return errors.New("out_of_order_window is negative")
	case c.QueryTimeout <= 0 || c.QuerySamples <= 0 || c.QueryConcurrency <= 0:
		return errors.New("a query limit is not positive")
	}
	return checkFeatures(c.QueryFeatures)
}

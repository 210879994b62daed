package collector_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"thump/collector"
	"thump/internal/config"
)

func TestConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "collector.yaml")
	yaml := "retention: 30d\nretention_size: 10GiB\nout_of_order_window: 12h\nmin_free: 1GiB\nquery_timeout: 30s\nquery_samples: 1000\nquery_concurrency: 3\n"
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := collector.DefaultConfig()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	config.Bind(flags, &cfg)
	if err := flags.Parse([]string{"--history-retention", "2d"}); err != nil {
		t.Fatal(err)
	}
	if err := config.Load(flags, file, func(string) (string, bool) { return "", false }, &cfg); err != nil {
		t.Fatal(err)
	}
	want := collector.DefaultConfig()
	want.Retention, want.RetentionSize, want.OutOfOrderWindow = config.Duration(48*time.Hour), 10<<30, config.Duration(12*time.Hour)
	want.MinFree, want.QueryTimeout, want.QuerySamples, want.QueryConcurrency = 1<<30, config.Duration(30*time.Second), 1000, 3
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("got  %+v\nwant %+v", cfg, want)
	}
	if err := cfg.Validate(); err == nil {
		t.Error("no data folder, and no error")
	}
}

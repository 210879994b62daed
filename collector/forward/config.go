package forward

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/prometheus/config"
)

// read reads a file with the keys `remote_write` and `global: external_labels` of
// prometheus.yml; "" is a file without any.
func read(path string, log *slog.Logger) (*config.Config, error) {
	if path == "" {
		return &config.Config{}, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read what to forward: %w", err)
	}
	cfg, err := config.Load(string(text), log)
	if err == nil {
		err = check(cfg)
	}
	if err != nil {
		return nil, fmt.Errorf("read what to forward: %s: %w", path, err)
	}
	return cfg, nil
}

// check refuses what would be read and not obeyed.
func check(cfg *config.Config) error {
	if len(cfg.ScrapeConfigs)+len(cfg.ScrapeConfigFiles)+len(cfg.RuleFiles)+len(cfg.RemoteReadConfigs)+len(cfg.AlertingConfig.AlertmanagerConfigs) > 0 {
		return errors.New("only remote_write and global.external_labels have a meaning here")
	}
	seen := map[string]bool{}
	for _, rw := range cfg.RemoteWriteConfigs {
		if rw.ProtobufMessage != remoteapi.WriteV1MessageType {
			return fmt.Errorf("remote_write to %s: protobuf_message %s is not supported, leave it out", rw.URL.Redacted(), rw.ProtobufMessage)
		}
		if name := nameOf(rw); seen[name] {
			return fmt.Errorf("remote_write to %s: twice; give each a name", rw.URL.Redacted())
		} else {
			seen[name] = true
		}
	}
	return nil
}

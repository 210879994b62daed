package source

import (
	"context"
	"fmt"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// healthWithin is how long a check may take: less than Grafana waits for it.
const healthWithin = 8 * time.Second

// CheckHealth implements backend.CheckHealthHandler: it asks history, and
// subscribes as a panel does.
func (s *Source) CheckHealth(ctx context.Context, _ *backend.CheckHealthRequest) (*backend.CheckHealthResult, error) {
	ctx, cancel := context.WithTimeout(ctx, healthWithin)
	defer cancel()
	past, err := s.checkHistory(ctx)
	if err != nil {
		return ill(err), nil
	}
	broker, err := s.live.Check(ctx)
	switch {
	case err != nil:
		return ill(fmt.Errorf("%s But live panels do not work: %w", past, err)), nil
	case broker == "":
		return &backend.CheckHealthResult{Status: backend.HealthStatusOk, Message: past + " No AMQP URL is given, so that no panel is live."}, nil
	}
	return &backend.CheckHealthResult{Status: backend.HealthStatusOk, Message: past + " Live panels follow " + broker + "."}, nil
}

func (s *Source) checkHistory(ctx context.Context) (string, error) {
	version, err := s.history.Version(ctx)
	if err != nil {
		return "", err
	}
	n, err := s.history.Hosts(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("History answers at %s (Prometheus API %s, %d hosts report).", s.history.URL(), version, n), nil
}

func ill(err error) *backend.CheckHealthResult {
	return &backend.CheckHealthResult{Status: backend.HealthStatusError, Message: err.Error()}
}

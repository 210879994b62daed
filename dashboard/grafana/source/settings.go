package source

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/gtime"
	"github.com/grafana/grafana-plugin-sdk-go/backend/httpclient"
)

// settings are what the user configures besides Grafana's own HTTP settings.
// Passwords and keys come apart, as secure data.
type settings struct {
	AMQPURL  string `json:"amqpUrl"`  // amqp://host:5672/vhost without a password; "": no live panels
	AMQPUser string `json:"amqpUser"` // its password is the secure amqpPassword
	Interval string `json:"timeInterval"`

	scrape time.Duration
	broker string // AMQPURL with the login
	tls    *tls.Config
	http   httpclient.Options
}

// defaultScrape is how often an agent measures unless its template says otherwise.
const defaultScrape = 10 * time.Second

func read(ctx context.Context, in backend.DataSourceInstanceSettings) (*settings, error) {
	s := settings{scrape: defaultScrape}
	var err error
	if err = json.Unmarshal(in.JSONData, &s); err != nil && len(in.JSONData) > 0 {
		return nil, fmt.Errorf("read the settings: %w", err)
	}
	if s.Interval != "" {
		if s.scrape, err = gtime.ParseIntervalStringToTimeDuration(s.Interval); err != nil || s.scrape <= 0 {
			return nil, fmt.Errorf("interval %q is not a duration such as 10s", s.Interval)
		}
	}
	if s.http, err = in.HTTPClientOptions(ctx); err != nil {
		return nil, fmt.Errorf("HTTP settings: %w", err)
	}
	if s.tls, err = httpclient.GetTLSConfig(s.http); err != nil {
		return nil, fmt.Errorf("TLS settings: %w", err)
	}
	if s.broker, err = withLogin(s.AMQPURL, s.AMQPUser, in.DecryptedSecureJSONData["amqpPassword"]); err != nil {
		return nil, err
	}
	return &s, nil
}

// withLogin puts the login into the URL. One in the URL itself is refused: the
// settings are not secret.
func withLogin(raw, user, password string) (string, error) {
	raw = strings.TrimSpace(raw)
	if raw == "" {
		return "", nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "", errors.New("the AMQP URL cannot be read: want one such as amqp://broker:5672/")
	}
	if _, has := u.User.Password(); has {
		return "", errors.New("the AMQP URL holds a password, which everybody could read: put it into the field for it")
	}
	if user == "" {
		user = u.User.Username()
	}
	if user != "" {
		u.User = url.UserPassword(user, password)
	}
	return u.String(), nil
}

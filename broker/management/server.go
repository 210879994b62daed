package management

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"thump/broker"
	"thump/internal/process"
)

// productVersion is the RabbitMQ whose API this is; clients switch by it.
const productVersion = "4.1.0"

// maxBody bounds a request's body, bytes: definitions can be long.
const maxBody = 64 << 20

// Config says where the API is served.
type Config struct {
	Address string // host:port; port 0 picks a free one
}

// Deps are what the API needs from the program it runs in.
type Deps struct {
	Broker  *broker.Broker
	Logger  *slog.Logger
	Version string // of the program
}

// Server serves the management API.
type Server struct {
	// Static after construction.
	broker  *broker.Broker
	log     *slog.Logger
	version string
	node    string // name of this broker, as RabbitMQ names nodes
	started time.Time
	mux     *http.ServeMux
	http    *process.HTTP
	rates   *rates
}

// New opens the listener. A port in use is an error that names --management.
func New(cfg Config, deps Deps) (*Server, error) {
	s := &Server{
		broker: deps.Broker, log: deps.Logger, version: deps.Version, node: nodeName(),
		started: time.Now(), mux: http.NewServeMux(), rates: &rates{broker: deps.Broker},
	}
	s.routes()
	h, err := process.NewHTTP(cfg.Address, "management", s.Handler(), deps.Logger)
	if err != nil {
		return nil, err
	}
	s.http = h
	return s, nil
}

// Addr is the address listened on.
func (s *Server) Addr() net.Addr { return s.http.Addr() }

// Handler returns the API, for a server of the caller's.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		// ServeMux matches %2F, the name of the usual virtual host, with no wildcard:
		// it gets the path escaped once more, and call.part unescapes it.
		r.URL.Path, r.URL.RawPath = r.URL.EscapedPath(), ""
		if r.URL.Path != "/" { // RabbitMQ ignores a slash at the end
			r.URL.Path = strings.TrimSuffix(r.URL.Path, "/")
		}
		s.mux.ServeHTTP(w, r)
	})
}

// Run serves, and samples the counters for the rates, until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	s.log.Info("listening for management", "url", "http://"+s.Addr().String())
	var sampling sync.WaitGroup
	sampling.Go(func() { s.rates.run(ctx) })
	err := s.http.Run(ctx)
	sampling.Wait()
	return err
}

package receive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"thump/internal/formats"
	"thump/internal/telemetry"
)

const (
	// slotWait is how long a request waits for its turn.
	slotWait = 10 * time.Second
	// confirmWait is how long the broker may take to confirm.
	confirmWait = 30 * time.Second
	// retryAfter is when a client that cannot be served now may come again.
	retryAfter = 5 * time.Second
)

// refusal is an error with the status that the client gets.
type refusal struct {
	code int
	err  error
}

func (r *refusal) Error() string { return r.err.Error() }

func (r *refusal) Unwrap() error { return r.err }

func refuse(code int, err error) error { return &refusal{code, err} }

// codeOf is the status for an error: what a client cannot mend is ours.
func codeOf(err error) int {
	var r *refusal
	if errors.As(err, &r) {
		return r.code
	}
	return http.StatusInternalServerError
}

// way answers a request, or returns an error that is yet to be answered.
type way func(w http.ResponseWriter, req *http.Request) error

// shape writes an error as the original of a way does.
type shape func(w http.ResponseWriter, req *http.Request, code int, err error)

// handle serves a way, with a limit on how many are served at the same time.
func (r *Receiver) handle(mux *http.ServeMux, pattern, name string, serve way, fail shape) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
		err := r.inTurn(w, req, serve)
		if err == nil {
			r.metrics.requests.WithLabelValues(name, "2xx").Inc()
			return
		}
		code := codeOf(err)
		r.metrics.requests.WithLabelValues(name, strconv.Itoa(code)).Inc()
		r.log.Debug("request refused", "way", name, "from", req.RemoteAddr, "code", code, "err", err)
		if code == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
		}
		fail(w, req, code, err)
	})
}

func (r *Receiver) inTurn(w http.ResponseWriter, req *http.Request, serve way) error {
	turn := time.NewTimer(slotWait)
	defer turn.Stop()
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
		return serve(w, req)
	case <-turn.C:
		return refuse(http.StatusServiceUnavailable, errors.New("too many requests at the same time"))
	case <-req.Context().Done():
		return refuse(http.StatusServiceUnavailable, req.Context().Err())
	}
}

// body reads and decompresses what a request brings.
func (r *Receiver) body(w http.ResponseWriter, req *http.Request, encoding string) ([]byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, req.Body, int64(r.cfg.MaxBody)))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, refuse(http.StatusRequestEntityTooLarge, fmt.Errorf("body of more than %d bytes", large.Limit))
	case err != nil:
		return nil, refuse(http.StatusBadRequest, fmt.Errorf("read body: %w", err))
	}
	body, err := telemetry.Decompress(encoding, raw)
	switch {
	case errors.Is(err, telemetry.ErrContentEncoding):
		return nil, refuse(http.StatusUnsupportedMediaType, err)
	case err != nil:
		return nil, refuse(http.StatusBadRequest, err)
	}
	return body, nil
}

// forward publishes what a request brought and returns once the broker has
// confirmed all of it.
func (r *Receiver) forward(ctx context.Context, name string, c *telemetry.Content) error {
	ctx, cancel := context.WithTimeout(ctx, confirmWait)
	defer cancel()
	r.metrics.skip(name, c.Skipped)
	if err := r.publish.all(ctx, name, c.Series); err != nil {
		return refuse(http.StatusServiceUnavailable, fmt.Errorf("publish: %w", err))
	}
	return nil
}

// plain is an error as text, as Prometheus and the Pushgateway answer.
func plain(w http.ResponseWriter, _ *http.Request, code int, err error) {
	http.Error(w, err.Error(), code)
}

// partly says what was left out of a request of which the rest is published.
func partly(skipped map[string]int) error {
	return refuse(http.StatusBadRequest, fmt.Errorf("partial write: the rest is taken, but not %s", formats.Reasons(skipped)))
}

package history

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"thump/dashboard/grafana/trouble"
)

// refusal is the answer of a query that failed. Whatever history or the way to it
// is at fault for is not held against the plugin.
func (h *History) refusal(err error) backend.DataResponse {
	status := backend.StatusBadGateway
	var said *v1.Error
	if errors.As(err, &said) {
		switch said.Type {
		case v1.ErrBadData:
			status = backend.StatusBadRequest
		case v1.ErrExec:
			status = backend.StatusValidationFailed
		case v1.ErrTimeout:
			status = backend.StatusTimeout
		}
	}
	return backend.DataResponse{Status: status, Error: errors.New(h.Explain(err)), ErrorSource: backend.ErrorSourceDownstream}
}

// Explain says what is wrong and what to do about it.
func (h *History) Explain(err error) string {
	var said *v1.Error
	if errors.As(err, &said) {
		return h.explainAnswer(said)
	}
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Sprintf("history at %s does not answer in time: ask for less, or raise the timeout of the data source", h.url)
	}
	return fmt.Sprintf("history at %s cannot be reached: %s", h.url, trouble.Explain(err, "is thump's collector, or `thump up`, running there and its --http reachable from Grafana's server?"))
}

func (h *History) explainAnswer(said *v1.Error) string {
	switch {
	case said.Type == v1.ErrBadData || said.Type == v1.ErrExec || said.Type == v1.ErrTimeout || said.Type == v1.ErrCanceled:
		return said.Msg
	case strings.Contains(said.Msg, "401"), strings.Contains(said.Msg, "403"):
		return fmt.Sprintf("history at %s refuses the login: check user and password of the data source", h.url)
	case strings.Contains(said.Msg, "404"), said.Type == v1.ErrBadResponse:
		return fmt.Sprintf("what answers at %s is no Prometheus HTTP API: check the URL of the data source (%s)", h.url, said.Msg)
	}
	return fmt.Sprintf("history at %s answers: %s", h.url, said.Error())
}

package management

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"thump/broker/amqp"
	"thump/broker/definitions"
)

// failure is an answer other than success, in RabbitMQ's words.
type failure struct {
	status int
	name   string // "error"
	reason any
}

func (f *failure) Error() string { return fmt.Sprintf("%s: %v", f.name, f.reason) }

func badRequest(reason any) error { return &failure{http.StatusBadRequest, "bad_request", reason} }

func notFound() error { return &failure{http.StatusNotFound, "Object Not Found", "Not Found"} }

func notAuthorised(reason string) error {
	return &failure{http.StatusUnauthorized, "not_authorised", reason}
}

// asFailure turns any error into an answer. What is nobody's fault but the
// broker's stays an error.
func asFailure(err error) (*failure, bool) {
	if f := new(failure); errors.As(err, &f) {
		return f, true
	}
	var e *amqp.Error
	switch {
	case errors.As(err, &e):
		return fromAMQP(e), true
	case errors.Is(err, definitions.ErrNotFound):
		return &failure{http.StatusNotFound, "Object Not Found", "Not Found"}, true
	}
	var tooLong *http.MaxBytesError
	if errors.As(err, &tooLong) {
		return &failure{http.StatusBadRequest, "bad_request", "Request body is too large"}, true
	}
	return nil, false
}

func fromAMQP(e *amqp.Error) *failure {
	_, text, found := strings.Cut(e.Text, " - ")
	if !found {
		text = e.Text
	}
	switch e.Code {
	case amqp.NotFound:
		return &failure{http.StatusNotFound, "not_found", text}
	case amqp.AccessRefused:
		return &failure{http.StatusUnauthorized, "not_authorised", "Access refused."}
	}
	return &failure{http.StatusBadRequest, "bad_request", text}
}

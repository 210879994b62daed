package amqp

import "fmt"

// Reply codes, AMQP 0-9-1 §1.2 (constants).
const (
	ReplySuccess       uint16 = 200
	ContentTooLarge    uint16 = 311
	NoRoute            uint16 = 312
	NoConsumers        uint16 = 313
	ConnectionForced   uint16 = 320
	InvalidPath        uint16 = 402
	AccessRefused      uint16 = 403
	NotFound           uint16 = 404
	ResourceLocked     uint16 = 405
	PreconditionFailed uint16 = 406
	FrameError         uint16 = 501
	SyntaxError        uint16 = 502
	CommandInvalid     uint16 = 503
	ChannelErrorCode   uint16 = 504
	UnexpectedFrame    uint16 = 505
	ResourceError      uint16 = 506
	NotAllowed         uint16 = 530
	NotImplemented     uint16 = 540
	InternalError      uint16 = 541
)

// Error is an AMQP exception. It knows its blast radius: the channel or the
// whole connection.
type Error struct {
	Code              uint16 // reply-code
	Text              string // reply-text as RabbitMQ writes it
	Channel           bool   // true: closes the channel only
	ClassID, MethodID uint16 // the method that caused it, or zero; set by the session
}

func (e *Error) Error() string { return fmt.Sprintf("amqp exception %d: %s", e.Code, e.Text) }

// ChannelError returns an exception that closes the channel. The text is
// prefixed with the name of the code.
func ChannelError(code uint16, format string, args ...any) *Error {
	e := ConnectionError(code, format, args...)
	e.Channel = true
	return e
}

// ConnectionError returns an exception that closes the connection. The text is
// prefixed with the name of the code.
func ConnectionError(code uint16, format string, args ...any) *Error {
	return &Error{Code: code, Text: CodeName(code) + " - " + fmt.Sprintf(format, args...)}
}

// CodeName returns the name of a reply code as RabbitMQ spells it, for example
// NOT_FOUND.
func CodeName(code uint16) string {
	switch code {
	case ReplySuccess:
		return "REPLY_SUCCESS"
	case ContentTooLarge:
		return "CONTENT_TOO_LARGE"
	case NoRoute:
		return "NO_ROUTE"
	case NoConsumers:
		return "NO_CONSUMERS"
	case ConnectionForced:
		return "CONNECTION_FORCED"
	case InvalidPath:
		return "INVALID_PATH"
	case AccessRefused:
		return "ACCESS_REFUSED"
	case NotFound:
		return "NOT_FOUND"
	case ResourceLocked:
		return "RESOURCE_LOCKED"
	case PreconditionFailed:
		return "PRECONDITION_FAILED"
	case FrameError:
		return "FRAME_ERROR"
	case SyntaxError:
		return "SYNTAX_ERROR"
	case CommandInvalid:
		return "COMMAND_INVALID"
	case ChannelErrorCode:
		return "CHANNEL_ERROR"
	case UnexpectedFrame:
		return "UNEXPECTED_FRAME"
	case ResourceError:
		return "RESOURCE_ERROR"
	case NotAllowed:
		return "NOT_ALLOWED"
	case NotImplemented:
		return "NOT_IMPLEMENTED"
	case InternalError:
		return "INTERNAL_ERROR"
	}
	return fmt.Sprintf("REPLY_CODE_%d", code)
}

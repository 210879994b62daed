package management

import (
	"encoding/json"
	"errors"
	"fmt"

	"thump/broker/definitions"
)

// Limits per user.

func userLimitsObject(l definitions.UserLimits) object {
	o := object{}
	if l.MaxConnections != nil {
		o["max-connections"] = *l.MaxConnections
	}
	if l.MaxChannels != nil {
		o["max-channels"] = *l.MaxChannels
	}
	return o
}

func (s *Server) userLimits(c *call) (any, error) {
	users, err := s.broker.Definitions().Users()
	if err != nil {
		return nil, err
	}
	var items []object
	for _, u := range users {
		if o := userLimitsObject(u.Limits); len(o) > 0 {
			items = append(items, object{"user": u.Name, "value": o})
		}
	}
	return list(c, items)
}

func (s *Server) limitsOfUser(c *call) (any, error) {
	l, err := s.broker.Definitions().UserLimits(c.part("user"))
	if err != nil {
		return nil, err
	}
	var items []object
	if o := userLimitsObject(l); len(o) > 0 {
		items = append(items, object{"user": c.part("user"), "value": o})
	}
	return list(c, items)
}

func (s *Server) putUserLimit(c *call) (any, error) {
	body, err := c.require("value")
	if err != nil {
		return nil, err
	}
	n, err := number(body, "value", -1)
	if err != nil {
		return nil, err
	}
	return nil, s.setUserLimit(c.part("user"), c.part("limit"), &n)
}

func (s *Server) deleteUserLimit(c *call) (any, error) {
	return nil, s.setUserLimit(c.part("user"), c.part("limit"), nil)
}

func (s *Server) setUserLimit(user, name string, value *int) error {
	l, err := s.broker.Definitions().UserLimits(user)
	if errors.Is(err, definitions.ErrNotFound) {
		return badRequest([]any{"no_such_user", user})
	} else if err != nil {
		return err
	}
	switch name {
	case "max-connections":
		l.MaxConnections = value
	case "max-channels":
		l.MaxChannels = value
	default:
		return badRequest(fmt.Sprintf("Unrecognised limit %s of a user", name))
	}
	return s.broker.Definitions().SetUserLimits(user, l)
}

// storeUserLimits takes what an export wrote.
func (s *Server) storeUserLimits(user string, o object) error {
	text, err := json.Marshal(plain(o))
	if err != nil {
		return err
	}
	var l definitions.UserLimits
	if err := json.Unmarshal(text, &l); err != nil {
		return badRequest("limits are no numbers")
	}
	return s.broker.Definitions().SetUserLimits(user, l)
}

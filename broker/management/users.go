package management

import (
	"errors"
	"net/http"
	"strings"

	"thump/broker/definitions"
)

// tagList never is null in JSON.
func tagList(tags []string) []string {
	if tags == nil {
		return []string{}
	}
	return tags
}

// tagsOf reads tags as clients write them: "a,b" or ["a","b"].
func tagsOf(v any) []string {
	tags := []string{}
	switch v := v.(type) {
	case string:
		for _, t := range strings.Split(v, ",") {
			if t = strings.TrimSpace(t); t != "" {
				tags = append(tags, t)
			}
		}
	case []any:
		for _, t := range v {
			if s, ok := t.(string); ok {
				tags = append(tags, s)
			}
		}
	}
	return tags
}

func (s *Server) userObject(u definitions.User) object {
	return object{
		"name": u.Name, "password_hash": u.PasswordHash, "hashing_algorithm": hashingAlgorithm,
		"tags": tagList(u.Tags), "limits": userLimitsObject(u.Limits),
	}
}

const hashingAlgorithm = "rabbit_password_hashing_sha256"

func (s *Server) users(c *call) (any, error) {
	users, err := s.broker.Definitions().Users()
	if err != nil {
		return nil, err
	}
	var items []object
	for _, u := range users {
		items = append(items, s.userObject(u))
	}
	return list(c, items)
}

func (s *Server) usersWithoutPermissions(c *call) (any, error) {
	all, err := s.allPermissions()
	if err != nil {
		return nil, err
	}
	has := map[string]bool{}
	for _, p := range all {
		has[p["user"].(string)] = true
	}
	users, err := s.broker.Definitions().Users()
	if err != nil {
		return nil, err
	}
	var items []object
	for _, u := range users {
		if !has[u.Name] {
			items = append(items, s.userObject(u))
		}
	}
	return list(c, items)
}

func (s *Server) oneUser(c *call) (any, error) {
	u, err := s.broker.Definitions().User(c.part("user"))
	if err != nil {
		return nil, err
	}
	return s.userObject(u), nil
}

func (s *Server) putUser(c *call) (any, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	_, err = s.broker.Definitions().User(c.part("user"))
	exists := err == nil
	if err != nil && !errors.Is(err, definitions.ErrNotFound) {
		return nil, err
	}
	if err := s.storeUser(c.part("user"), body); err != nil {
		return nil, err
	}
	if exists {
		return nil, nil
	}
	return created{}, nil
}

// storeUser creates or replaces a user as the object says.
func (s *Server) storeUser(name string, o object) error {
	tags, ok := o["tags"]
	if !ok {
		if tags, ok = o["administrator"]; !ok { // RabbitMQ 2's way
			return badRequest("tags_not_present")
		}
		if yes, _ := tags.(bool); yes {
			tags = "administrator"
		}
	}
	u := definitions.User{Name: name, Tags: tagsOf(tags)}
	hash, err := str(o, "password_hash")
	if err != nil {
		return err
	}
	password, err := str(o, "password")
	if err != nil {
		return err
	}
	_, given := o["password"]
	switch algorithm, _ := o["hashing_algorithm"].(string); {
	case given && o["password_hash"] != nil:
		return badRequest("both_password_and_password_hash_are_provided")
	case given:
		u.PasswordHash = definitions.HashPassword(password)
	case algorithm != "" && algorithm != hashingAlgorithm && hash != "":
		return badRequest("hashing algorithm " + algorithm + " is not supported")
	default:
		u.PasswordHash = hash
	}
	if err := s.broker.Definitions().PutUser(u); err != nil {
		return err
	}
	if limits, given := o["limits"].(object); given {
		return s.storeUserLimits(name, limits)
	}
	return nil
}

func (s *Server) deleteUser(c *call) (any, error) {
	return nil, s.broker.Definitions().DeleteUser(c.part("user"))
}

func (s *Server) bulkDeleteUsers(c *call) (any, error) {
	body, err := c.require("users")
	if err != nil {
		return nil, err
	}
	names, _ := body["users"].([]any)
	for _, n := range names {
		name, _ := n.(string)
		if err := s.broker.Definitions().DeleteUser(name); err != nil && !errors.Is(err, definitions.ErrNotFound) {
			return nil, err
		}
	}
	return nil, nil
}

// authenticate tells `thump ctl authenticate_user` whether a password is right.
// It is not RabbitMQ's: rabbitmqctl asks its node over Erlang.
func (s *Server) authenticate(c *call) (any, error) {
	body, err := c.require("password")
	if err != nil {
		return nil, err
	}
	password, err := str(body, "password")
	if err != nil {
		return nil, err
	}
	if err := s.broker.Authenticate(c.part("user"), password, true); err != nil {
		return nil, &failure{http.StatusForbidden, "authentication_failed", "wrong name or password"}
	}
	return nil, nil
}

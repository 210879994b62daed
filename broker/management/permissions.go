package management

import (
	"regexp"

	"thump/broker/definitions"
)

func permissionObject(vhost string, p definitions.Permission) object {
	return object{"user": p.User, "vhost": vhost, "configure": p.Configure, "write": p.Write, "read": p.Read}
}

func (s *Server) permissionsIn(vhost string) ([]object, error) {
	list, err := s.broker.Definitions().Permissions(vhost)
	if err != nil {
		return nil, err
	}
	var items []object
	for _, p := range list {
		items = append(items, permissionObject(vhost, p))
	}
	return items, nil
}

func (s *Server) allPermissions() ([]object, error) {
	var items []object
	for _, v := range s.broker.VHosts() {
		some, err := s.permissionsIn(v.Name())
		if err != nil {
			return nil, err
		}
		items = append(items, some...)
	}
	return items, nil
}

// permissions lists those of all, of the virtual host, or of the user in the path.
func (s *Server) permissions(c *call) (any, error) {
	all, err := s.allPermissions()
	if err != nil {
		return nil, err
	}
	items, err := s.ofPath(c, all)
	if err != nil {
		return nil, err
	}
	return list(c, items)
}

// ofPath keeps the objects of the virtual host and the user that the path names.
func (s *Server) ofPath(c *call, all []object) ([]object, error) {
	user := c.part("user")
	if user != "" {
		if _, err := s.broker.Definitions().User(user); err != nil {
			return nil, err
		}
	}
	var items []object
	for _, o := range all {
		if (user == "" || o["user"] == user) && (c.vhost == nil || o["vhost"] == c.vhost.Name()) {
			items = append(items, o)
		}
	}
	return items, nil
}

func (s *Server) onePermission(c *call) (any, error) {
	p, err := s.broker.Definitions().Permission(c.vhost.Name(), c.part("user"))
	if err != nil {
		return nil, err
	}
	return permissionObject(c.vhost.Name(), p), nil
}

func (s *Server) putPermission(c *call) (any, error) {
	body, err := c.require("configure", "write", "read")
	if err != nil {
		return nil, err
	}
	_, before := s.broker.Definitions().Permission(c.vhost.Name(), c.part("user"))
	if err := s.storePermission(c.vhost.Name(), c.part("user"), body); err != nil {
		return nil, err
	}
	if before == nil {
		return nil, nil
	}
	return created{}, nil
}

func (s *Server) storePermission(vhost, user string, o object) error {
	p := definitions.Permission{User: user}
	for key, to := range map[string]*string{"configure": &p.Configure, "write": &p.Write, "read": &p.Read} {
		var err error
		if *to, err = expression(o, key); err != nil {
			return err
		}
	}
	if _, err := s.broker.Definitions().User(user); err != nil {
		return badRequest("vhost_or_user_not_found")
	}
	return s.broker.Definitions().SetPermission(vhost, p)
}

// expression reads a regular expression.
func expression(o object, key string) (string, error) {
	text, err := str(o, key)
	if err != nil {
		return "", err
	}
	if _, err := regexp.Compile(text); err != nil {
		return "", badRequest([]any{"invalid_regexp", text, err.Error()})
	}
	return text, nil
}

func (s *Server) deletePermission(c *call) (any, error) {
	if _, err := s.onePermission(c); err != nil {
		return nil, err
	}
	return nil, s.broker.Definitions().ClearPermission(c.vhost.Name(), c.part("user"))
}

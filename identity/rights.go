package identity

import (
	"slices"
)

// The bounds of [Rights].
const (
	MaxRoles      = 32
	MaxPrivileges = 64
	maxRight      = 96 // bytes of a role or privilege
)

// Rights are roles and privileges, in the words of the systems that act by them. Each list is sorted and has nothing twice.
type Rights struct {
	Roles      []string `json:"roles,omitempty"`      // at most MaxRoles
	Privileges []string `json:"privileges,omitempty"` // at most MaxPrivileges, of up to 96 bytes as the roles
}

// sorted returns r with its lists sorted, nothing in them twice, and nothing shared.
func (r Rights) sorted() Rights { return Rights{inOrder(r.Roles), inOrder(r.Privileges)} }

func inOrder(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// Validate returns an error that wraps [opsec.ErrInvalid] unless r is within its bounds, and sorted.
func (r Rights) Validate() error {
	if len(r.Roles) > MaxRoles || len(r.Privileges) > MaxPrivileges {
		return invalid("rights: %d roles and %d privileges, want at most %d and %d", len(r.Roles), len(r.Privileges), MaxRoles, MaxPrivileges)
	}
	for _, list := range [][]string{r.Roles, r.Privileges} {
		for i, one := range list {
			if one == "" || !text(one, maxRight) || i > 0 && one <= list[i-1] {
				return invalid("rights: want texts of 1 to %d bytes without control characters, sorted, each once", maxRight)
			}
		}
	}
	return nil
}

// IsZero reports whether there are none.
func (r Rights) IsZero() bool { return len(r.Roles)+len(r.Privileges) == 0 }

// Equal reports whether r and o are the same.
func (r Rights) Equal(o Rights) bool {
	return slices.Equal(r.Roles, o.Roles) && slices.Equal(r.Privileges, o.Privileges)
}

// Within reports whether all of r is among o.
func (r Rights) Within(o Rights) bool { return r.Minus(o).IsZero() }

// Minus returns what is in r and not in o.
func (r Rights) Minus(o Rights) Rights { return r.choose(o, false) }

// Common returns what is in both.
func (r Rights) Common(o Rights) Rights { return r.choose(o, true) }

func (r Rights) choose(o Rights, there bool) Rights {
	pick := func(list, other []string) (chosen []string) {
		for _, one := range list {
			if _, found := slices.BinarySearch(other, one); found == there {
				chosen = append(chosen, one)
			}
		}
		return chosen
	}
	return Rights{pick(r.Roles, o.Roles), pick(r.Privileges, o.Privileges)}
}

// list returns the rights as events name them: "role:operator", "privilege:read", with a prefix before each.
func (r Rights) list(prefix string) (list []string) {
	for _, one := range r.Roles {
		list = append(list, prefix+"role:"+one)
	}
	for _, one := range r.Privileges {
		list = append(list, prefix+"privilege:"+one)
	}
	return list
}

package name

import (
	"strings"
	"unicode"
)

// reserved refuses what is, or looks like, a reserved name.
func (p Policy) reserved(n Name) error {
	if len(p.Reserved) == 0 {
		return nil
	}
	looks := coarse(n.Canonical)
	for _, one := range p.Reserved {
		base, open := strings.CutSuffix(one, "*")
		if want := coarse(base); looks == want || open && strings.HasPrefix(looks, want) {
			return refuseLike(Reserved, one)
		}
	}
	return nil
}

// coarse is a skeleton in which letters and digits alone count, and digits for the letters that people write with them:
// adm1n, 4dmin and ad.min all read as admin. It is for reserved names only: two users may be called so.
func coarse(canonical string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case 'i':
			return 'l'
		case '3':
			return 'e'
		case '4', '@':
			return 'a'
		case '5', '$':
			return 's'
		case '7':
			return 't'
		}
		if !unicode.In(r, unicode.L, unicode.M, unicode.Nd) {
			return -1
		}
		return r
	}, Skeleton(canonical))
}

package hash_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/password/hash"
)

// vector is a hash that others published, or made.
type vector struct {
	scheme          hash.Scheme
	secret, encoded string
}

var vectors = []vector{
	// The tests of the reference implementation of argon2.
	{hash.Argon2id, "password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"},
	{hash.Argon2id, "password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"},
	// argon2 0~20171227 of Debian 12.
	{hash.Argon2id, "correct horse battery staple", "$argon2id$v=19$m=64,t=3,p=2$TmFDbDAxMjM0NTY3ODlhYg$SV7dDfuPyXhjhM3uGtZ1yUyGJNvAsBbmTjeQBYgvNjw"},
	{hash.Argon2i, "correct horse battery staple", "$argon2i$v=19$m=64,t=3,p=1$TmFDbDAxMjM0NTY3ODlhYg$iamKjFPI1QdSDUP9/oOcvYYsqL62l+28"},
	{hash.Argon2id, "correct horse battery staple", "argon2$argon2id$v=19$m=64,t=3,p=2$TmFDbDAxMjM0NTY3ODlhYg$SV7dDfuPyXhjhM3uGtZ1yUyGJNvAsBbmTjeQBYgvNjw"},
	// The tests of crypt_blowfish; the last has 72 bytes that count, of 74.
	{hash.Bcrypt, "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
	{hash.Bcrypt, "U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"},
	{hash.Bcrypt, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored",
		"$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui"},
	// htpasswd 2.4, passlib 1.7.4, Django 3.2.
	{hash.Bcrypt, "correct horse battery staple", "$2y$04$4tvDosd0SJuN1p6s76IM2uG1pSYVqk/LRYJmo/kwEdscWYdY61sjy"},
	{hash.Bcrypt, "correct horse battery staple", "$2b$04$IOSZ3TBZ7iZS2jdhHlJRe.zhJsPO5q71Z9MrXASpAO0b.0vp5KKVy"},
	{hash.Bcrypt, "correct horse battery staple", "bcrypt$$2b$04$Np.3EXKdVD41CqzXXI.MbeX6VQpUXLbIoLJp08Dy90xmZkSahQcIm"},
	{hash.BcryptSHA256, "correct horse battery staple", "bcrypt_sha256$$2b$04$C13fip499F2rU9U4TqlDWuiVJlsyF20vb8Jm78X.ch4xRucvJe/om"},
	// RFC 7914, section 12; passlib 1.7.4; the tests of Django 4.
	{hash.Scrypt, "password", "$scrypt$ln=10,r=8,p=16$TmFDbA$" + raw64("fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"+
		"2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640")},
	{hash.Scrypt, "correct horse battery staple", "$scrypt$ln=7,r=8,p=2$TmFDbDAxMjM0NTY3ODlhYg$gAs/sDv7kmsrYPGIBozw0Yj17pJXttmXj8Z29Ui5QIA"},
	{hash.Scrypt, "lètmein", "scrypt$16384$seasalt$8$1$Qj3+9PPyRjSJIebHnG81TMjsqtaIGxNQG/aEB/NYafTJ7tibgfYz71m0ldQESkXFRkdVCBhhY8mx7rQwite/Pw=="},
	// RFC 6070 and RFC 7914, section 11; passlib 1.7.4; Django 3.2.
	{hash.PBKDF2SHA1, "password", "$pbkdf2$4096$c2FsdA$" + strings.ReplaceAll(raw64("4b007901b765489abead49d926f721d065a429c1"), "+", ".")},
	{hash.PBKDF2SHA256, "passwd", "$pbkdf2-sha256$i=1,l=64$c2FsdA$" + raw64("55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"+
		"49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783")},
	{hash.PBKDF2SHA1, "correct horse battery staple", "$pbkdf2$1000$TmFDbDAxMjM0NTY3ODlhYg$QmCfoHEf.NlDZbyh1VWdsOZRoas"},
	{hash.PBKDF2SHA256, "correct horse battery staple", "$pbkdf2-sha256$1000$TmFDbDAxMjM0NTY3ODlhYg$4y8cyiA/fszMzmzTDAZetaFRA94iK7LhwPeBSXb6Kf8"},
	{hash.PBKDF2SHA512, "correct horse battery staple", "$pbkdf2-sha512$1000$TmFDbDAxMjM0NTY3ODlhYg$wzDTd1lY4ydixPKwQGtRsWXWlRYA4Xt.KpWzHhmNDYYUXGfau4S8K5wbXkJ5c4v/yZBIYBnKPIvhcKpaS7bTNw"},
	{hash.PBKDF2SHA256, "correct horse battery staple", "pbkdf2_sha256$1000$seasalt0$DJuZRFa0eojgmZyuoPtClaYgcLMDwqZGgCwiDNjREzc="},
	{hash.PBKDF2SHA1, "correct horse battery staple", "pbkdf2_sha1$1000$seasalt0$Lh8TpGodunGxdf+RlqdLAYQDt+s="},
}

// raw64 is the base64 of hexadecimal digits. Passlib writes '.' for '+'.
func raw64(digits string) string {
	b, err := hex.DecodeString(digits)
	if err != nil {
		panic(err)
	}
	return base64.RawStdEncoding.EncodeToString(b)
}

func TestHashesOfOthersAreVerified(t *testing.T) {
	p := quick(t)
	for _, v := range vectors {
		t.Run(v.encoded, func(t *testing.T) {
			f, err := hash.Parse(v.encoded)
			require.NoError(t, err)
			require.Equal(t, v.scheme, f.Scheme)
			r, err := p.Verify(bg, []byte(v.secret), v.encoded)
			require.NoError(t, err)
			require.Equal(t, hash.Result{Match: true, Rehash: true}, r)
			if f.Memory > 1<<10 {
				return // once is slow enough, under the race detector
			}
			r, err = p.Verify(bg, []byte("x"+v.secret), v.encoded)
			require.NoError(t, err)
			require.False(t, r.Match)
		})
	}
}

func TestBcryptSeesSeventyTwoBytesAsItDid(t *testing.T) {
	p := quick(t)
	long := vectors[slices.IndexFunc(vectors, func(v vector) bool { return len(v.secret) > 72 })]
	require.Equal(t, hash.Bcrypt, long.scheme)
	r, err := p.Verify(bg, []byte(long.secret[:72]+"something else"), long.encoded)
	require.NoError(t, err)
	require.Equal(t, hash.Result{Match: true, Rehash: true}, r, "an old hash cannot know better; a new one is made at once")
	r, err = p.Verify(bg, []byte(long.secret[:71]+"?"), long.encoded)
	require.NoError(t, err)
	require.False(t, r.Match)
	fresh := hashed(t, p, []byte(long.secret))
	r, err = p.Verify(bg, []byte(long.secret[:72]+"something else"), fresh)
	require.NoError(t, err)
	require.False(t, r.Match)
}

func TestFormsThatAreNotExactAreRefused(t *testing.T) {
	const good = "$argon2id$v=19$m=64,t=3,p=2$TmFDbDAxMjM0NTY3ODlhYg$SV7dDfuPyXhjhM3uGtZ1yUyGJNvAsBbmTjeQBYgvNjw"
	_, err := hash.Parse(good)
	require.NoError(t, err)
	with := func(old, new string) string {
		s := strings.Replace(good, old, new, 1)
		if s == good {
			panic(old)
		}
		return s
	}
	salt := func(n int) string { return raw64(strings.Repeat("61", n)) }
	for _, bad := range []string{
		"", "$", "$$", "plain", "$1$salt$hash", "$argon2d$v=19$m=64,t=3,p=2$TmFDbDAxMjM0NTY3ODlhYg$SV7dDfuPyXhjhM3uGtZ1yQ",
		good + "\n", good + "$", " " + good, good[1:], good + strings.Repeat("A", hash.MaxEncoded),
		with("v=19", "v=16"), with("v=19$", ""), with("v=19", "v=019"),
		with("m=64", "m=064"), with("m=64", "m=+64"), with("m=64", "m=0"), with("m=64", "m=15"), with("m=64", "m=4294967360"),
		with("m=64", "m=1048577"), with("m=64", "m=1048576,x=1"), with("t=3", "t=0"), with("t=3", "t=33"), with("t=3", "t=-1"),
		with("p=2", "p=0"), with("p=2", "p=17"), with("p=2", "p=258"), with("m=64,t=3", "t=3,m=64"),
		with("p=2", "p=2,keyid="), with("p=2", "p=2,keyid=a+"), with("p=2", "p=2,keyid=a/b"), with("p=2", "p=2,keyid=a+b+c+d+e"),
		with("p=2", "p=2,keyid="+strings.Repeat("k", 33)), with("p=2", "p=2,data=AAAA"), with("p=2", "p=2,"),
		with("hYg$", "hYg=$"), with("TmFDbDAxMjM0NTY3ODlhYg", "TmFDbDAxMjM0NTY3ODlhYh"), with("TmFD", "TmF\nD"), with("TmFD", "TmF-"),
		with("vNjw", "vNjx"),
		with("TmFDbDAxMjM0NTY3ODlhYg", salt(3)), with("TmFDbDAxMjM0NTY3ODlhYg", salt(65)), with("TmFDbDAxMjM0NTY3ODlhYg", ""),
		with("SV7dDfuPyXhjhM3uGtZ1yUyGJNvAsBbmTjeQBYgvNjw", salt(15)), with("SV7dDfuPyXhjhM3uGtZ1yUyGJNvAsBbmTjeQBYgvNjw", salt(65)),
		"$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "$2a$5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$2a$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "$2a$17$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$2a$005$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
		"$2a$05$CCCCCCCCCCCCCCCCCCCCC+E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "bcrypt$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$scrypt$ln=25,r=1,p=1$TmFDbDAx$" + salt(32), "$scrypt$ln=20,r=32,p=1$TmFDbDAx$" + salt(32), "$scrypt$ln=7,r=8,p=17$TmFDbDAx$" + salt(32),
		"$scrypt$ln=20,r=8,p=5$TmFDbDAx$" + salt(32), "$scrypt$ln=0,r=8,p=1$TmFDbDAx$" + salt(32), "$scrypt$r=8,ln=7,p=1$TmFDbDAx$" + salt(32),
		"scrypt$129$seasalt0$8$1$Qj3+9PPyRjSJIebHnG81TA==", "scrypt$128$sea$8$1$Qj3+9PPyRjSJIebHnG81TA==", "scrypt$1$seasalt0$8$1$Qj3+9PPyRjSJIebHnG81TA==",
		"scrypt$128$seasalt0$8$1$Qj3+9PPyRjSJIebHnG81TA", "$pbkdf2$0$TmFDbDAx$" + salt(20), "$pbkdf2$10000001$TmFDbDAx$" + salt(20),
		"$pbkdf2-sha256$i=1000,l=31$TmFDbDAx$" + salt(32), "$pbkdf2-sha256$i=1000$TmFDbDAx$" + salt(32), "$pbkdf2-sha256$1000$TmFDbDAx$4y8c+iA/fszMzmzTDAZetaFRA94iK7LhwPeBSXb6Kf8",
		"$pbkdf2-md5$1000$TmFDbDAx$" + salt(32), "pbkdf2_sha512$1000$seasalt0$" + salt(33), "pbkdf2_sha256$1000$$DJuZRFa0eojgmZyuoPtClaYgcLMDwqZGgCwiDNjREzc=",
	} {
		_, err := hash.Parse(bad)
		require.ErrorIs(t, err, hash.ErrForm, "%q", bad)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		if len(bad) > 60 {
			require.NotContains(t, err.Error(), bad[40:60])
		}
	}
}

func TestAFormShowsNothingOfTheHash(t *testing.T) {
	for _, v := range vectors {
		f, err := hash.Parse(v.encoded)
		require.NoError(t, err)
		last := v.encoded[strings.LastIndexByte(v.encoded, '$')+1:]
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			text := fmt.Sprintf(verb, f)
			require.NotContains(t, text, last[len(last)-20:])
			require.Contains(t, text, f.Scheme)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.encoded)
	}
	f.Add("$argon2id$v=19$m=64,t=3,p=2,keyid=a+b.c$TmFDbDAxMjM0NTY3ODlhYg$SV7dDfuPyXhjhM3uGtZ1yUyGJNvAsBbmTjeQBYgvNjw")
	f.Fuzz(func(t *testing.T, s string) {
		form, err := hash.Parse(s)
		if err != nil {
			require.ErrorIs(t, err, hash.ErrForm)
			return
		}
		require.LessOrEqual(t, form.Memory, hash.MaxMemory)
		require.Positive(t, form.Memory)
		if form.Params != (hash.Params{}) {
			s, _ = strings.CutPrefix(s, "argon2$") // Django's
			require.Equal(t, "$"+strings.TrimPrefix(s, "$"), hash.Written(form), "one text for one hash")
		}
	})
}

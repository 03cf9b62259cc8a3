// Package zxcvbn holds package strength against the program that its method was published with: zxcvbn 4.4.2, which npm fetches.
package zxcvbn

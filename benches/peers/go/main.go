// golang.org/x/oauth2/jwt. SSL_CERT_FILE names a private root certificate.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"golang.org/x/oauth2/jwt"
)

func main() {
	key, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	config := jwt.Config{Email: "client-1", PrivateKey: key, TokenURL: os.Args[2]}
	token, err := config.TokenSource(context.Background()).Token()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.AccessToken)
}

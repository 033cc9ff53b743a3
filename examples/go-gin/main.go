// A web app with gin, and a command for one-off dynos: go-gin version.
package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"os"
	"runtime"

	"github.com/gin-gonic/gin"
)

//go:embed greeting.html
var greeting string

func main() {
	if len(os.Args) > 1 && os.Args[1] == "version" {
		fmt.Println("gin", gin.Version, "on", runtime.Version())
		return
	}
	router := gin.Default()
	// The router in front of the dyno adds X-Forwarded-For.
	if err := router.SetTrustedProxies([]string{"0.0.0.0/0"}); err != nil {
		log.Fatal(err)
	}
	router.SetHTMLTemplate(template.Must(template.New("greeting").Parse(greeting)))
	router.GET("/", func(c *gin.Context) {
		c.HTML(http.StatusOK, "greeting", gin.H{
			"greeting": environment("GREETING", "Hello"),
			"dyno":     environment("DYNO", "nowhere"),
		})
	})
	router.GET("/health", func(c *gin.Context) {
		c.JSON(http.StatusOK, gin.H{"status": "ok"})
	})
	if err := router.Run(":" + environment("PORT", "5000")); err != nil {
		log.Fatal(err)
	}
}

func environment(name, otherwise string) string {
	if value, ok := os.LookupEnv(name); ok {
		return value
	}
	return otherwise
}

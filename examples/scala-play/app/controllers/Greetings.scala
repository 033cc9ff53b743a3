package controllers

import javax.inject.Inject
import play.api.Configuration
import play.api.mvc.{AbstractController, Action, AnyContent, ControllerComponents}

class Greetings @Inject() (components: ControllerComponents, configuration: Configuration)
    extends AbstractController(components):

  def greet: Action[AnyContent] = Action:
    val greeting = configuration.get[String]("greeting")
    Ok(s"$greeting from Play in ${sys.env.getOrElse("DYNO", "no dyno")}\n")

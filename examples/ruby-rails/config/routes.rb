Rails.application.routes.draw do
  root "greetings#show"
  get "up" => "rails/health#show"
end
